package org.calm4j.calm.importer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.stage.EvaluateStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PredictionFilesTest {
    @TempDir
    private Path folder;

    private final List<String> warnings = new ArrayList<>();
    private final StringBuilder lines = new StringBuilder();

    /** One line; "-" is null, "" a text without characters. */
    private PredictionFilesTest line(String id, String language, String answer, String prediction) {
        Map<String, Object> line = new LinkedHashMap<>(Map.of("id", id, "language", language));
        if (!"-".equals(answer)) {
            line.put("answer", answer);
        }
        line.put("prediction", "-".equals(prediction) ? null : prediction);
        lines.append(Json.compact(line)).append('\n');
        return this;
    }

    private PredictionFilesTest column(String language, String answers, String predictions) {
        String[] answer = answers.split(" ");
        String[] prediction = predictions.split(" ");
        for (int i = 0; i < answer.length; i++) {
            line(String.valueOf(i), language, answer[i], prediction[i]);
        }
        return this;
    }

    private List<String> read(Question... questions) throws IOException {
        PredictionFiles read = PredictionFiles.read(
                List.of(Files.writeString(folder.resolve("p.jsonl"), lines)), Arrays.asList(questions));
        warnings.clear();
        warnings.addAll(read.warnings());
        lines.setLength(0);
        return read.predictions().stream()
                .map(Prediction::prediction)
                .map(String::valueOf)
                .toList();
    }

    private Evaluation evaluation() throws IOException {
        Files.writeString(folder.resolve("p.jsonl"), lines);
        warnings.clear();
        return new EvaluateStage(folder.resolve("eval"), 1)
                .ofPredictions(List.of(folder.resolve("p.jsonl")), List.of(), warnings::add);
    }

    /** The same of them in all languages is no agreement. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "\t\n",
                "\u200B",
                "[invalid]",
                "none",
                "None",
                "N/A",
                "n/a",
                "null",
                "NaN",
                "invalid",
                "no answer",
                "--",
                "?",
                "X",
                "-1",
                "The answer is A",
                "A or B",
                "(none)",
                "[]",
                "Z",
                "99",
                "A, B",
                "答案是A"
            })
    void whatIsNoLabelIsNoAnswer(String nothing) throws IOException {
        for (int i = 0; i < 6; i++) {
            for (String language : List.of("en", "fr", "zh")) {
                line(String.valueOf(i), language, "ABCDAB".substring(i, i + 1), i < 3 ? nothing : "B");
            }
        }
        Evaluation evaluation = evaluation();
        assertThat(evaluation.consistency()).isEqualTo(0.5);
        assertThat(evaluation.unanswered()).isEqualTo(0.5);
        assertThat(evaluation.notLabels()).isEqualTo(Map.of(nothing, 9));
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("9 of 18 predictions are not labels")
                .contains("unanswered");
        assertThat(folder.resolve("eval/predictions.jsonl")).content().contains("\"prediction\":null");
        assertThat(Json.read(folder.resolve("eval/eval.json"), Evaluation.class))
                .isEqualTo(evaluation);
    }

    /** answers | predictions | what they are read as; nothing said where they are read as they stand. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        A B C D | A B C D | A B C D |
        A B C D | - E A A | null E A A |
        A B C D | a b c d | A B C D | as A
        a b c d | A B C D | a b c d | as a
        A B C D | A. (B) [C] **d** | A B C D | signs
        A B C D | Ａ （Ｂ） c) D、 | A B C D | signs
        A B C D | 0 1 2 3 | A B C D | "0" as A
        A B C D | 1 2 3 4 | A B C D | "1" as A
        A B C D | 1. (2) 3: 4 | A B C D | "1." as A
        A B C D | 1 2 3 1 | null null null null | from 0 or from 1
        A B C D | 0 1 2 4 | null null null null | from 0 or from 1
        A B C D | A 0 B 1 | A null B null | not labels
        0 1 2 3 | 0 1 2 3 | 0 1 2 3 |
        0 1 2 3 | 1 2 3 4 | 0 1 2 3 | "1" as 0
        1 2 3 4 | 0 1 2 3 | 1 2 3 4 | "0" as 1
        1 2 3 4 | 4 3 2 1 | 4 3 2 1 |
        1 2 3 4 | 0 1 4 3 | null 1 4 3 | not labels
        1 2 3 4 | A B C D | 1 2 3 4 | "A" as 1
        0 1 2 3 | A B C D | 0 1 2 3 | "A" as 0
        A B C J | A F J K | A F J K |
        - - - - | A B X D | A B null D | not labels
        - - - - | a b c D | a b c d | "D" as d
        - - - - | 0 1 2 -1 | 0 1 2 null | not labels
        yes no yes no | Yes no maybe none | yes no maybe null | "Yes" as yes
        none yes no yes | none no yes yes | none no yes yes |
        Paris Rome Bonn Bern | Paris Roma [invalid] N/A | Paris Roma null null | not labels
        """)
    void labelsInAnotherWriting(String answers, String predictions, String expected, String warning)
            throws IOException {
        assertThat(column("en", answers, predictions).read()).containsExactly(expected.split(" "));
        if (warning == null) {
            assertThat(warnings).isEmpty();
        } else if (warning.equals("signs")) {
            assertThat(warnings).singleElement().asString().startsWith("en: ").contains("are read as labels");
        } else {
            assertThat(warnings).anyMatch(each -> each.contains(warning));
        }
    }

    /** One language's file counts from 0, another one's answers are lower case; they agree all the same. */
    @Test
    void eachLanguageHasItsOwnWriting() throws IOException {
        column("en", "A B C D", "A B C A").column("zh", "A B C D", "0 1 2 0").column("fr", "a b c d", "A B C A");
        column("de", "0 1 2 3", "a b c a");
        Evaluation evaluation = evaluation();
        assertThat(evaluation.consistency()).isEqualTo(1);
        assertThat(evaluation.accuracyMean()).isEqualTo(0.75);
        assertThat(warnings)
                .hasSize(4)
                .anyMatch(each -> each.startsWith("zh: 4 predictions"))
                .anyMatch(each -> each.startsWith("fr: 4 answers"))
                .anyMatch(each -> each.startsWith("de: 4 answers"));
    }

    private static Question question(String id, String language, String answer, String... labels) {
        return new Question(
                id,
                language,
                "?",
                Arrays.stream(labels)
                        .map(label -> new Question.Choice(label, "text " + label))
                        .toList(),
                answer,
                null);
    }

    /** The questions say what is a label, and what is true. */
    @Test
    void questionsTellTheLabels() throws IOException {
        Question two = question("0", "en", "A", "A", "B");
        Question four = question("1", "en", "D", "A", "B", "C", "D");
        assertThat(line("0", "en", "-", "C").line("1", "en", "-", "C").read(two, four))
                .containsExactly("null", "C");
        assertThat(warnings).singleElement().asString().contains("\"C\" 1");
        assertThat(line("0", "en", "-", "2").line("1", "en", "-", "3").read(two, four))
                .as("no 0, and 2 of two")
                .containsExactly("B", "C");
        assertThat(line("0", "en", "-", "0").line("1", "en", "-", "3").read(two, four))
                .containsExactly("A", "D");
        assertThat(line("0", "en", "-", "1").line("1", "en", "-", "3").read(two, four))
                .containsExactly("null", "null");
        assertThat(line("0", "en", "-", "20").read(question("0", "en", null, "10", "20")))
                .containsExactly("20");
        assertThatThrownBy(() -> line("0", "en", "B", "A").read(two, four))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("p.jsonl:1")
                .hasMessageContaining("in data A");
        lines.setLength(0);
        assertThatThrownBy(() -> line("7", "en", "A", "A").read(two, four))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("no id 7");
        lines.setLength(0);
        PredictionFiles all = PredictionFiles.read(
                        List.of(Files.writeString(folder.resolve("q.jsonl"), line("1", "en", "-", "D").lines)),
                        List.of(two, four))
                .andUnanswered(List.of(two, four));
        assertThat(all.predictions())
                .containsExactly(new Prediction("1", "en", "D", "D"), new Prediction("0", "en", "A", null));
        assertThat(all.warnings()).singleElement().asString().contains("1 of 2 questions");
    }

    @Test
    void languagesByOneCode() throws IOException {
        line("1", "en", "A", "A").line("1", "cn", "A", "A");
        assertThat(evaluation().pairwise()).containsOnlyKeys("en", "zh");
        assertThat(warnings).containsExactly("language 'cn' is read as zh");
        lines.setLength(0);
        line("1", "zh", "A", "A").line("2", "cn", "A", "A");
        assertThat(evaluation().languages()).containsOnlyKeys("zh");
        line("2", "zh", "A", "B");
        assertThatThrownBy(this::evaluation)
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("p.jsonl:3")
                .hasMessageContaining("'cn'");
        lines.setLength(0);
        line("1", "pt-BR", "A", "A")
                .line("1", "pt-PT", "A", "A")
                .line("1", "tlh", "A", "B")
                .line("1", "EN", "A", "A");
        assertThat(evaluation().languages()).containsOnlyKeys("pt-BR", "pt-PT", "tlh", "en");
        lines.setLength(0);
        line("1", "en", "A", "A").line("1", "en", "A", "A");
        assertThatThrownBy(this::evaluation)
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("p.jsonl:2: a second line for id 1");
    }

    @Test
    void idsThatAreNotInAllLanguages() throws IOException {
        line("en-1", "en", "A", "A")
                .line("en-2", "en", "A", "A")
                .line("fr-1", "fr", "A", "A")
                .line("fr-2", "fr", "A", "A");
        assertThat(evaluation().consistency()).isZero();
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("no two languages")
                .contains("\"fr-1\"")
                .contains("leave the language out");
        lines.setLength(0);
        line("0", "en", "A", "A").line("q0", "fr", "A", "A");
        evaluation();
        assertThat(warnings).singleElement().asString().contains("same id").doesNotContain("leave the language out");
        lines.setLength(0);
        line("0", "en", "A", "A")
                .line("0", "fr", "A", "A")
                .line("1", "en", "A", "A")
                .line("2", "fr", "A", "A");
        assertThat(evaluation().consistency()).isEqualTo(1 / 3.0);
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("2 of 3 ids are not in all languages")
                .contains("fr 1, en 1");
        lines.setLength(0);
        line("0", "en", "A", "A").line("1", "en", "A", "A");
        evaluation();
        assertThat(warnings).isEmpty();
    }

    /** Where all questions say the same, the bootstrap can't: other questions might say something else. */
    @Test
    void noIntervalIsWithoutWidth() throws IOException {
        line("0", "en", "A", "A").line("0", "fr", "A", "A");
        Evaluation one = evaluation();
        assertThat(one.intervals().accuracyMean().low()).isBetween(0.2, 0.21);
        assertThat(one.intervals().accuracyMean().high()).isEqualTo(1);
        assertThat(one.intervals().consistency()).isEqualTo(one.intervals().accuracyMean());
        assertThat(one.intervals().accuracy().get("en").low())
                .isCloseTo(one.intervals().accuracyMean().low(), within(1e-12));
        lines.setLength(0);
        for (int i = 0; i < 10; i++) {
            line("" + i, "en", "A", "A").line("" + i, "fr", "A", "B").line("" + i, "de", "A", "A");
        }
        line("10", "en", "-", "A");
        Evaluation same = evaluation();
        assertThat(same.accuracyMean()).isEqualTo(2 / 3.0);
        assertThat(same.intervals().accuracyMean().low()).isBetween(0.48, 0.49);
        assertThat(same.intervals().accuracyMean().high()).isBetween(0.75, 0.77);
    }
}
