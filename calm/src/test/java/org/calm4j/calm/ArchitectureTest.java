package org.calm4j.calm;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.Architectures.LayeredArchitecture;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.engine.FlagsInSources;
import org.junit.jupiter.api.Test;

/** The arrows of ARCHITECTURE.md. */
final class ArchitectureTest {
    private static final String GIT = "\"--short\"";

    /** Each room and the rooms it may use, from the top down. */
    private static final String ARROWS = """
            cli: watch inspect experiment tool stage pair vote option run report world metric importer prompt translate hub bench
            watch: report run
            bench: world
            experiment: inspect stage pair vote option run report world metric extract prompt translate data
            inspect: stage option tool run report metric data
            tool: run importer extract convert data
            stage: option run importer metric retrieve extract prompt translate data
            pair: vote option extract prompt translate data
            vote: option metric extract data
            option: translate
            report: metric data
            world: prompt data
            metric: data
            importer: data
            translate: extract data
            extract: data
            prompt: data
            convert:
            retrieve:
            hub:
            run: data
            data:
            """;

    private static final String ROOM = "org.calm4j.calm.";

    private final Map<String, List<String>> arrows = arrows();
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("org.calm4j.calm");

    private static Map<String, List<String>> arrows() {
        Map<String, List<String>> arrows = new LinkedHashMap<>();
        for (String line : ARROWS.lines().toList()) {
            List<String> names = Arrays.asList(line.replace(":", "").split(" "));
            arrows.put(names.getFirst(), names.subList(1, names.size()));
        }
        return arrows;
    }

    @Test
    void everyPackageIsARoom() {
        assertThat(CLASSES.stream()
                        .map(JavaClass::getPackageName)
                        .map(name -> name.substring(ROOM.length()))
                        .collect(Collectors.toSet()))
                .isEqualTo(arrows.keySet());
    }

    /** Whoever shows a message knows what a setting is called there: a flag, a key or a parameter. */
    @Test
    void messagesNameSettingsAndNotFlags() throws IOException {
        Path sources = Path.of("src/main/java");
        assertThat(FlagsInSources.below(sources, sources.resolve("org/calm4j/calm/cli"), GIT))
                .isEmpty();
    }

    @Test
    void arrowsGoDown() {
        LayeredArchitecture rooms = layeredArchitecture().consideringOnlyDependenciesInLayers();
        for (String room : arrows.keySet()) {
            rooms = rooms.layer(room).definedBy(ROOM + room);
        }
        for (Map.Entry<String, List<String>> room : arrows.entrySet()) {
            rooms = room.getValue().isEmpty()
                    ? rooms.whereLayer(room.getKey()).mayNotAccessAnyLayer()
                    : rooms.whereLayer(room.getKey())
                            .mayOnlyAccessLayers(room.getValue().toArray(String[]::new));
        }
        rooms.check(CLASSES);
    }

    @Test
    void noRoomUsesOneThatUsesIt() {
        slices().matching(ROOM + "(*)..").should().beFreeOfCycles().check(CLASSES);
    }

    /** Vectors are the engine's own; a benchmark alone measures what the machine does with them. */
    @Test
    void onlyTheBenchmarkKnowsVectors() {
        noClasses()
                .that()
                .resideOutsideOfPackage("..calm.bench..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("..engine.op.simd..")
                .check(CLASSES);
    }

    /** Work is divided where it is planned; what computes, reads or counts does not know that there are other processes. */
    @Test
    void onlyStagesAndCommandsKnowRanks() {
        noClasses()
                .that()
                .resideOutsideOfPackages(
                        "..calm.cli..",
                        "..calm.experiment..",
                        "..calm.stage..",
                        "..calm.tool..",
                        "..calm.run..",
                        "..calm.bench..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("..engine.ranks..")
                .check(CLASSES);
    }

    /** The owners of what the driver gives know no operation; only what joins them knows them all. */
    @Test
    void theDriverKnowsNoOperation() {
        JavaClasses kernels = new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("org.calm4j.kernels");
        // Who passes tensors between devices, and the backend that has it.
        noClasses()
                .that()
                .haveNameNotMatching("org\\.calm4j\\.kernels\\.(CudaBackend|driver\\.NcclWire.*)")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("..engine.ranks..")
                .check(kernels);
        noClasses()
                .that()
                .resideInAPackage("org.calm4j.kernels.driver")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.calm4j.kernels")
                .check(kernels);
        noClasses()
                .that()
                .resideInAPackage("org.calm4j.kernels.driver")
                .and()
                .doNotHaveSimpleName("Gpu")
                .should()
                .dependOnClassesThat()
                .haveSimpleName("Gpu")
                .check(kernels);
    }
}
