package org.calm4j.calm.extract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.calm.data.Question.Choice;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Ways to answer in six languages: {@code responses.txt} has lines {@code response | label}, under the options {@code @A;B;C;…}. */
class ResponseTableTest {
    private static final Path FILE = Path.of("src/test/resources/org/calm4j/calm/extract/responses.txt");

    static Stream<Arguments> rows() throws IOException {
        List<Arguments> rows = new ArrayList<>();
        List<Choice> choices = List.of();
        for (String line : Files.readAllLines(FILE)) {
            if (line.startsWith("@")) {
                List<Choice> options = new ArrayList<>();
                for (String text : line.substring(1).split(";")) {
                    options.add(new Choice(String.valueOf((char) ('A' + options.size())), text));
                }
                choices = options;
            } else if (!line.isBlank() && !line.startsWith("#")) {
                int bar = line.lastIndexOf('|');
                String label = line.substring(bar + 1).strip();
                rows.add(Arguments.of(line.substring(0, bar).strip().replace("\\n", "\n"), label.equals("-") ? null : label, choices));
            }
        }
        return rows.stream();
    }

    @ParameterizedTest(name = "{0} | {1}")
    @MethodSource("rows")
    void decides(String response, String label, List<Choice> choices) {
        assertThat(AnswerExtractor.extract(response, choices)).isEqualTo(label);
    }
}
