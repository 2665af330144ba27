package org.calm4j.calm.extract;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.calm4j.calm.data.Question.Choice;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Ways to answer: {@code responses.txt} in six languages, {@code kinds.txt} by what is hard in them (two answers for one, options that are
 * denied, hypotheticals, ranges, marks, letters of other scripts, invisible characters, thoughts). They have lines {@code response | label},
 * under the options {@code @A;B;C;…}.
 */
@Tag("slow")
class ResponseTableTest {
    private static final Path FOLDER = Path.of("src/test/resources/org/calm4j/calm/extract");
    private static final Pattern ESCAPE = Pattern.compile("\\\\u([0-9A-F]{4})");

    static Stream<Arguments> rows() throws IOException {
        List<Arguments> rows = new ArrayList<>();
        List<Choice> choices = List.of();
        List<String> lines = new ArrayList<>(Files.readAllLines(FOLDER.resolve("responses.txt")));
        lines.addAll(Files.readAllLines(FOLDER.resolve("kinds.txt")));
        for (String line : lines) {
            if (line.startsWith("@")) {
                List<Choice> options = new ArrayList<>();
                for (String text : line.substring(1).split(";")) {
                    options.add(new Choice(String.valueOf((char) ('A' + options.size())), text));
                }
                choices = options;
            } else if (!line.isBlank() && !line.startsWith("# ")) {
                int bar = line.lastIndexOf('|');
                String label = line.substring(bar + 1).strip();
                rows.add(Arguments.of(
                        written(line.substring(0, bar).strip()), label.equals("-") ? null : label, choices));
            }
        }
        return rows.stream();
    }

    private static String written(String text) {
        return ESCAPE.matcher(text.replace("\\n", "\n"))
                .replaceAll(code -> Matcher.quoteReplacement(Character.toString(Integer.parseInt(code.group(1), 16))));
    }

    @ParameterizedTest(name = "{0} | {1}")
    @MethodSource("rows")
    void decides(String response, String label, List<Choice> choices) {
        assertThat(AnswerExtractor.extract(response, choices)).isEqualTo(label);
    }
}
