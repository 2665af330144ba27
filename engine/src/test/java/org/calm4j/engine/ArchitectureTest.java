package org.calm4j.engine;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The arrows of ARCHITECTURE.md. */
final class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("org.calm4j.engine");

    @Test
    void arrowsGoDown() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("tensor")
                .definedBy("..engine.tensor..")
                .layer("op")
                .definedBy("..engine.op..")
                .layer("io")
                .definedBy("..engine.io..")
                .layer("ranks")
                .definedBy("..engine.ranks..")
                .layer("text")
                .definedBy("..engine.text..")
                .layer("chat")
                .definedBy("..engine.chat..")
                .layer("jinja")
                .definedBy("..engine.jinja..")
                .layer("config")
                .definedBy("..engine.config..")
                .layer("model")
                .definedBy("..engine.model..")
                .layer("loss")
                .definedBy("..engine.loss..")
                .layer("train")
                .definedBy("..engine.train..")
                .layer("generate")
                .definedBy("..engine.generate..")
                .layer("inspect")
                .definedBy("..engine.inspect..")
                .whereLayer("inspect")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("train")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("generate")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("loss")
                .mayOnlyBeAccessedByLayers("train")
                .whereLayer("model")
                .mayOnlyBeAccessedByLayers("train", "generate", "inspect")
                .whereLayer("config")
                .mayOnlyBeAccessedByLayers("text", "model", "train", "generate", "inspect")
                .whereLayer("config")
                .mayOnlyAccessLayers("io", "tensor")
                .whereLayer("text")
                .mayOnlyBeAccessedByLayers("chat", "model", "train", "generate")
                .whereLayer("text")
                .mayOnlyAccessLayers("config", "io")
                .whereLayer("chat")
                .mayOnlyBeAccessedByLayers("model")
                .whereLayer("chat")
                .mayOnlyAccessLayers("text", "jinja", "io")
                .whereLayer("jinja")
                .mayOnlyBeAccessedByLayers("chat")
                .whereLayer("jinja")
                .mayNotAccessAnyLayer()
                .whereLayer("io")
                .mayOnlyBeAccessedByLayers("config", "text", "chat", "model", "train", "generate", "inspect", "ranks")
                .whereLayer("ranks")
                .mayOnlyBeAccessedByLayers("train")
                .whereLayer("ranks")
                .mayOnlyAccessLayers("tensor", "io")
                .whereLayer("op")
                .mayOnlyBeAccessedByLayers("model", "train", "generate", "inspect")
                .check(CLASSES);
    }

    /** {@code division ← optim ← train}. */
    @Test
    void optimizersDoNotKnowTheTrainer() {
        noClasses()
                .that()
                .resideInAnyPackage("..train.optim..", "..train.division..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.calm4j.engine.train")
                .check(CLASSES);
        noClasses()
                .that()
                .resideInAPackage("..train.division..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("..train.optim..")
                .check(CLASSES);
    }

    @Test
    void modelsDoNotKnowWhichBackendTheyRunOn() {
        noClasses()
                .that()
                .resideOutsideOfPackage("..engine.op..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("..engine.op.scalar..", "..engine.op.simd..")
                .check(CLASSES);
    }

    /** Whoever shows a message knows what a setting is called there: a flag, a key or a parameter. */
    @Test
    void messagesNameSettingsAndNotFlags() throws IOException {
        assertThat(FlagsInSources.below(Path.of("src/main/java"), null)).isEmpty();
    }

    /** Operations are written in vectors and a pool of threads, which know no operation and serve nothing else. */
    @Test
    void primitivesKnowNoOperation() {
        noClasses()
                .that()
                .resideInAPackage("..engine.op.simd.vec..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.calm4j.engine.op", "org.calm4j.engine.op.simd", "org.calm4j.engine.op.scalar")
                .check(CLASSES);
        noClasses()
                .that()
                .resideOutsideOfPackage("..engine.op.simd..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("..engine.op.simd.vec..")
                .check(CLASSES);
    }

    /** The engine runs without CUDA, commands or the pipeline. */
    @Test
    void theEngineStandsAlone() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("jcuda..", "picocli..", "org.calm4j.calm..", "org.calm4j.kernels..")
                .check(CLASSES);
    }

    /** The page forward and the page backward are pages. */
    @Test
    void aPageIsAPage() throws IOException {
        Path model = Path.of("src/main/java/org/calm4j/engine/model");
        assertThat(Files.readAllLines(model.resolve("CausalLm.java"))).hasSizeLessThanOrEqualTo(220);
        String block = Files.readString(model.resolve("TransformerBlock.java"));
        for (String page : List.of("void forward(Pass", "void backward(Pass")) {
            String method = block.substring(block.indexOf(page));
            assertThat(method.substring(0, method.indexOf("\n    }")).lines()).hasSizeLessThanOrEqualTo(50);
        }
    }
}
