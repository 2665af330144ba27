package org.calm4j.calm;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** The arrows of ARCHITECTURE.md. */
final class ArchitectureTest {
    private final JavaClasses classes = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("org.calm4j.calm");

    @Test
    void arrowsGoDown() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("cli")
                .definedBy("..calm.cli..")
                .layer("stage")
                .definedBy("..calm.stage..")
                .layer("report")
                .definedBy("..calm.report..")
                .layer("world")
                .definedBy("..calm.world..")
                .layer("metric")
                .definedBy("..calm.metric..")
                .layer("extract")
                .definedBy("..calm.extract..")
                .layer("layout")
                .definedBy("..calm.layout..")
                .layer("translate")
                .definedBy("..calm.translate..")
                .layer("retrieve")
                .definedBy("..calm.retrieve..")
                .layer("prompt")
                .definedBy("..calm.prompt..")
                .layer("convert")
                .definedBy("..calm.convert..")
                .layer("hub")
                .definedBy("..calm.hub..")
                .layer("data")
                .definedBy("..calm.data..")
                .whereLayer("cli")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("stage")
                .mayOnlyBeAccessedByLayers("cli")
                .whereLayer("report")
                .mayOnlyBeAccessedByLayers("stage")
                .whereLayer("world")
                .mayOnlyBeAccessedByLayers("stage", "cli")
                .whereLayer("metric")
                .mayOnlyBeAccessedByLayers("report", "stage", "cli")
                .whereLayer("retrieve")
                .mayOnlyBeAccessedByLayers("stage")
                .whereLayer("extract")
                .mayOnlyBeAccessedByLayers("stage")
                .whereLayer("layout")
                .mayOnlyBeAccessedByLayers("stage", "cli")
                .whereLayer("translate")
                .mayOnlyBeAccessedByLayers("stage", "cli")
                .whereLayer("prompt")
                .mayOnlyBeAccessedByLayers("world", "stage", "cli")
                .whereLayer("convert")
                .mayOnlyBeAccessedByLayers("stage")
                .whereLayer("hub")
                .mayOnlyBeAccessedByLayers("cli")
                .whereLayer("hub")
                .mayNotAccessAnyLayer()
                .check(classes);
    }
}
