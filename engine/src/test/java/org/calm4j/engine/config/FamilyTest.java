package org.calm4j.engine.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A family is a file. */
final class FamilyTest {
    static List<Named<Family>> families() {
        return Family.ALL.stream()
                .map(family -> Named.of(family.modelType(), family))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("families")
    void isListedOnce(Family family) {
        assertThat(Family.ALL)
                .filteredOn(each -> each.modelType().equals(family.modelType()))
                .hasSize(1);
        assertThat(Arrays.asList(Family.class.getPermittedSubclasses())).contains(family.getClass());
        assertThat(Family.ALL).hasSameSizeAs(Family.class.getPermittedSubclasses());
    }

    /** The engine's main code names a family in its own file and in the list. */
    @ParameterizedTest
    @MethodSource("families")
    void isNamedNowhereElse(Family family) throws IOException {
        String word = family.modelType().replaceFirst("(?=\\d)", "-?");
        Pattern name = Pattern.compile("(?i)(?<![a-z0-9])" + word + "(?![a-z0-9])");
        Path main = Path.of("src/main");
        try (Stream<Path> files = Files.walk(main)) {
            List<String> naming = files.filter(Files::isRegularFile)
                    .filter(file -> name.matcher(read(file)).find())
                    .map(file -> file.getFileName().toString())
                    .sorted()
                    .toList();
            assertThat(naming)
                    .containsExactlyInAnyOrder("Family.java", family.getClass().getSimpleName() + ".java");
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new AssertionError(file.toString(), e);
        }
    }
}
