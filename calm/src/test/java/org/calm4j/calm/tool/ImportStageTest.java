package org.calm4j.calm.tool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Question.Choice;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.importer.Layout;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvFileSource;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImportStageTest {
    @TempDir
    private Path folder;

    private ImportStage.Summary imported(String language, String... contents) throws IOException {
        return imported(language, List.of(), false, contents);
    }

    private ImportStage.Summary imported(String language, List<Path> parallel, boolean align, String... contents)
            throws IOException {
        List<Path> files = new ArrayList<>();
        for (String content : contents) {
            files.add(Files.writeString(folder.resolve("in" + files.size()), content));
        }
        return new ImportStage(
                        files, language, parallel, align, folder.resolve("out.jsonl"), folder.resolve("report.jsonl"))
                .run();
    }

    private <T> List<T> out(Class<T> type) {
        return Jsonl.read(folder.resolve("out.jsonl"), type);
    }

    @Test
    void questionsOfTheCalmAuthors() throws IOException {
        ImportStage.Summary summary = imported("cn", """
                [{"instruction": "回答", "input": "问题:牙科诊所接待了患者？\\nA. 镇\\nB. 密歇根州\\nC. 医院\\n\\n答案:", "output": "C"},
                 {"instruction": "Answer", "input": "Type A. or type B?\\nWhich:\\n(A) one\\n  and a half\\n(B) two\\n",
                  "output": "(B) two"},
                 {"instruction": "Answer", "input": "Broken\\n(UNE) UNE\\n(B)B\\n(C)C", "output": "(C)C"},
                 {"instruction": "Answer", "input": "Q\\n(A) x\\n(B) y", "output": "(E) z"},
                 {"instruction": "Answer", "input": "Q\\n(A) x\\n(B) y\\n(Cage\\n(D) z", "output": "(B) y"}]""");
        assertThat(summary.layout()).isEqualTo(Layout.CALM_QUESTIONS);
        assertThat(summary.items()).isEqualTo(2);
        assertThat(summary.skipped()).isEqualTo(3);
        assertThat(summary.problems()).containsExactly(Map.entry("unreadable", 3));
        assertThat(summary.examples().get(0).text()).contains("in0[2]").contains("options");
        assertThat(summary.examples().get(1).text()).contains("in0[3]").contains("(E) z");
        assertThat(out(Question.class))
                .containsExactly(
                        new Question(
                                "0",
                                "zh",
                                "牙科诊所接待了患者？",
                                List.of(new Choice("A", "镇"), new Choice("B", "密歇根州"), new Choice("C", "医院")),
                                "C",
                                null),
                        new Question(
                                "1",
                                "zh",
                                "Type A. or type B?\nWhich:",
                                List.of(new Choice("A", "one\n  and a half"), new Choice("B", "two")),
                                "B",
                                null));
    }

    @Test
    void sampledResponsesOfTheCalmAuthors() throws IOException {
        ImportStage.Summary summary = imported("fr", """
                [{"instruction": "Répondez.", "input": "Où ?\\nA. ici\\nB. là", "output": "A",
                  "pred": ["Réponse: B", "Réponse : A ou B", "c'est ici."]}]""");
        assertThat(summary.layout()).isEqualTo(Layout.CALM_SAMPLES);
        assertThat(summary.answered()).isEqualTo(2.0 / 3);
        Samples samples = out(Samples.class).getFirst();
        assertThat(samples.prompt()).isEqualTo("Répondez.\nOù ?\nA. ici\nB. là");
        assertThat(samples.responses().stream().map(Samples.Response::answer)).containsExactly("B", null, "A");
    }

    @Test
    void commonsenseAndMedicalQuestions() throws IOException {
        imported(
                "en",
                "{\"id\":\"q7\",\"lang\":\"en\",\"question\":{\"stem\":\"Where?\",\"choices\":["
                        + "{\"label\":\"A\",\"text\":\"x\"},{\"label\":\"B\",\"text\":\"y\"}]},\"answerKey\":\"B\"}\n");
        assertThat(out(Question.class))
                .containsExactly(new Question(
                        "q7", "en", "Where?", List.of(new Choice("A", "x"), new Choice("B", "y")), "B", null));
        imported(
                "en",
                "{\"question\":\"What?\",\"answer\":\"y\",\"options\":{\"A\":\"x\",\"B\":\"y\"},\"answer_idx\":\"B\"}\n",
                "{\"question\":\"Which?\",\"answer\":\"x\",\"options\":{\"A\":\"x\",\"B\":\"y\"}}\n");
        assertThat(out(Question.class))
                .containsExactly(
                        new Question(
                                "0", "en", "What?", List.of(new Choice("A", "x"), new Choice("B", "y")), "B", null),
                        new Question(
                                "1", "en", "Which?", List.of(new Choice("A", "x"), new Choice("B", "y")), "A", null));
    }

    @Test
    void trainingTexts() throws IOException {
        imported("en", "[{\"instruction\":\"Translate\",\"input\":\"chat\",\"output\":\"cat\"}]");
        JsonNode alpaca = out(JsonNode.class).getFirst();
        assertThat(alpaca.path("prompt").asText()).isEqualTo("Translate\nchat");
        assertThat(alpaca.path("completion").asText()).isEqualTo("cat");
        imported(
                "en",
                "[{\"conversations\":[{\"from\":\"human\",\"value\":\"hi\"},{\"from\":\"gpt\",\"value\":\"hello\"}]}]");
        JsonNode chat = out(JsonNode.class).getFirst();
        assertThat(chat.path("messages").findValuesAsText("role")).containsExactly("user", "assistant");
    }

    private static final String CHOICES =
            "\"choices\":[{\"label\":\"A\",\"text\":\"x\"},{\"label\":\"B\",\"text\":\"y\"}]";

    private static String own(String id, String question, String answer) {
        return "{\"id\":\"" + id + "\",\"language\":\"en\",\"question\":\"" + question + "\"," + CHOICES
                + ",\"answer\":\"" + answer + "\"}\n";
    }

    /** Each of the tables that are known, with what is odd about it. */
    @Test
    void tables() throws IOException {
        List<Choice> four =
                List.of(new Choice("A", "1, 2"), new Choice("B", "3"), new Choice("C", "4"), new Choice("D", "5"));
        Question expected = new Question("0", "de", "Was?\nJa \"das\"?", four, "B", null);
        // MMMLU: pandas' index without a name.
        ImportStage.Summary summary = imported(
                "DE_DE", ",Question,A,B,C,D,Answer,Subject\n0,\"Was?\nJa \"\"das\"\"?\",\"1, " + "2\",3,4,5,B,x\n");
        assertThat(summary.layout()).isEqualTo(Layout.MMLU);
        assertThat(out(Question.class)).containsExactly(expected);
        // MMLU: no line with names.
        imported("de", "\"Was?\nJa \"\"das\"\"?\",\"1, 2\",3,4,5,B\nQ,a,b,c,d,D\n");
        assertThat(out(Question.class)).hasSize(2).startsWith(expected);
        // Global-MMLU, and lists with the index of the answer.
        imported(
                "de",
                "{\"sample_id\":\"s/1\",\"question\":\"Was?\",\"option_a\":\"1\",\"option_b\":\"2\","
                        + "\"option_c\":\"3\",\"option_d\":\"4\",\"answer\":\"D\"}",
                "{\"question\":\"Wer?\",\"choices\":[\"0\",\"1\"],\"answer\":0}");
        assertThat(out(Question.class)).extracting(Question::id).containsExactly("s/1", "1");
        assertThat(out(Question.class)).extracting(Question::answer).containsExactly("D", "A");
    }

    @Test
    void belebele() throws IOException {
        String item = "{\"link\":\"u\",\"question_number\":2,\"flores_passage\":\"P.\",\"question\":\"Q?\","
                + "\"mc_answer1\":\"a\",\"mc_answer2\":\"b\",\"mc_answer3\":\"c\","
                + "\"mc_answer4\":\"d\",\"correct_answer_num\":\"3\",\"dialect\":\"zho_Hans\"}";
        ImportStage.Summary summary = imported(null, item);
        assertThat(summary.language()).as("told by the item").isEqualTo("zh");
        assertThat(out(Question.class))
                .containsExactly(new Question(
                        "u#2",
                        "zh",
                        "P.\n\nQ?",
                        List.of(new Choice("A", "a"), new Choice("B", "b"), new Choice("C", "c"), new Choice("D", "d")),
                        "C",
                        null));
        assertThatThrownBy(() -> imported("fr", item))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("zho_Hans");
        // Another passage of the same page is another question; the same line again is not.
        summary = imported(
                null, item + "\n" + item.replace("P.", "R.") + "\n" + item + "\n" + item.replace("P.", "R.") + "\n");
        assertThat(out(Question.class)).extracting(Question::id).containsExactly("u#2", "u#2#2");
        assertThat(summary.problems()).containsOnly(Map.entry("duplicate", 2));
    }

    /** The answer stands last in the file; in the questions it stands where the id puts it, in all languages alike. */
    @Test
    void bmlama() throws IOException {
        String head = "Prompt\tAns\tCandidate Ans\tSubject\n";
        ImportStage.Summary summary = imported(
                "en",
                head + "X was born in <mask>.\tRome\tParis, Bonn, Rome\tX\nY \"the\" Z died in "
                        + "<mask>.\tKiel\tBonn, Rome, Kiel\tY\nZ\tParis, Rome\tParis, Bonn, Rome\tZ\n");
        assertThat(summary.layout()).isEqualTo(Layout.BMLAMA);
        assertThat(summary.examples().getFirst().text()).contains("in0:4").contains("more than one");
        List<Question> english = out(Question.class);
        assertThat(english)
                .extracting(Question::question)
                .containsExactly("X was born in ___.", "Y \"the\" Z died in ___.");
        assertThat(english.getFirst().choices())
                .extracting(Choice::text)
                .containsExactlyInAnyOrder("Paris", "Bonn", "Rome");
        imported("it", head + "X è nato a <mask>.\tRoma\tParigi, Bonn, Roma\tX\nY\tKiel\tBonn, Roma, Kiel\tY\n");
        assertThat(out(Question.class))
                .extracting(Question::answer)
                .isEqualTo(english.stream().map(Question::answer).toList());
    }

    /** The same question in all the ways in which options stand in a text. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "Was?\\nA. ja\\nB. nein\\nC. A oder B\\n",
                "Was?\\r\\n(A) ja\\r\\n(B) nein\\r\\n(C) A oder B",
                "Was?\\nA: ja\\nB: nein\\nC: A oder B",
                "Was?\\nA、ja\\nB、nein\\nC、A oder B",
                "Was?\\nＡ．ja\\nＢ．nein\\nＣ．A oder B",
                "Was?\\n（Ａ）ja\\n（Ｂ）nein\\n（Ｃ）A oder B",
                "Was?\\nA：ja\\nB：nein\\nC：A oder B",
                "Was?\\n A ) ja\\n B ) nein\\n C ) A oder B",
                "Was?\\n[A] ja\\n[B] nein\\n[C] A oder B",
                "Was? A. ja B. nein C. A oder B",
                "Was? (A) ja (B) nein (C) A oder B",
                "Frage: Was?\\nA. ja\\nB. nein\\nC. A oder B\\n\\nAntwort:"
            })
    void optionsInText(String input) throws IOException {
        for (String output : List.of("B", "B. nein", "(B) nein", "(B) nein\\n\\\"", "Ｂ", "（Ｂ）nein", "nein", "b")) {
            ImportStage.Summary summary = imported(
                    "de", "[{\"instruction\":\"Wähle.\",\"input\":\"" + input + "\",\"output\":\"" + output + "\"}]");
            assertThat(summary.layout()).isEqualTo(Layout.CALM_QUESTIONS);
            assertThat(out(Question.class))
                    .as(output)
                    .containsExactly(new Question(
                            "0",
                            "de",
                            "Was?",
                            List.of(new Choice("A", "ja"), new Choice("B", "nein"), new Choice("C", "A oder B")),
                            "B",
                            null));
        }
    }

    /** Labels that are no capital letters are read, whatever the output calls them; in all languages the choices are A, B, C. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        a) ja\\nb) nein\\nc) 2 | b;B;b) nein;(b) nein;b.;nein
        a. ja\\nb. nein\\nc. 2 | b;B;b. nein
        (a) ja\\n(b) nein\\n(c) 2 | b;(b)
        1. ja\\n2. nein\\n3. 2 | 2;2.;2. nein;(2);②;nein;B
        1) ja\\n2) nein\\n3) 1.5 | 2;2)
        (1) ja\\n(2) nein\\n(3) 2 | 2;(2)
        1、ja\\n2、nein\\n3、2 | 2
        1：ja\\n2：nein\\n3：2 | 2
        １．ja\\n２．nein\\n３．2 | 2;２
        ① ja\\n② nein\\n③ 2 | ②;2;② nein;nein
        ①ja\\n②nein\\n③2 | ②
        ❶ ja\\n❷ nein\\n❸ 2 | ❷;②
        ⑴ ja\\n⑵ nein\\n⑶ 2 | ⑵;2
        ⒜ ja\\n⒝ nein\\n⒞ 2 | b
        Ⓐ ja\\nⒷ nein\\nⒸ 2 | B;Ⓑ
        ａ）ja\\nｂ）nein\\nｃ）2 | b;ｂ
        - A) ja\\n- B) nein\\n- C) 2 | B
        **A.** ja\\n**B.** nein\\n**C.** 2 | B;**B.** nein
        가. ja\\n나. nein\\n다. 2 | 나;나. nein
        ア. ja\\nイ. nein\\nウ. 2 | イ
        a) ja b) nein c) 2 | b
        1. ja 2. nein 3. 2 | 2
        ①ja ②nein ③2 | ②
        A、ja\\nB、nein\\nC、2 | B、nein
        A：ja\\nB：nein\\nC：2 | B：nein
        """)
    void optionsWithOtherLabels(String options, String outputs) throws IOException {
        for (String output : outputs.split(";")) {
            ImportStage.Summary summary = imported(
                    "de",
                    "[{\"instruction\":\"Wähle.\",\"input\":\"Was?\\n" + options + "\",\"output\":\"" + output
                            + "\"}]");
            assertThat(summary.layout()).as(output).isEqualTo(Layout.CALM_QUESTIONS);
            Question question = out(Question.class).getFirst();
            assertThat(question.question()).isEqualTo("Was?");
            assertThat(question.choices()).extracting(Choice::label).containsExactly("A", "B", "C");
            assertThat(question.choices()).extracting(Choice::text).startsWith("ja", "nein");
            assertThat(question.answer()).as(output).isEqualTo("B");
        }
    }

    /** Lists that are no options, and outputs that are none of them. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "Sort these.\\n1. pear\\n2. apple|1. apple\\n2. pear",
                "Sum\\n1. two\\n2. three|5",
                "Steps\\na) stir\\nb) heat|First stir.",
                "Times:\\n1:30 tea\\n2:30 cake|2",
                "Weights\\n1.5 kg\\n2.5 kg|2"
            })
    void listsToTrainOn(String item) throws IOException {
        String[] parts = item.split("\\|");
        assertThat(imported(
                                "en",
                                "[{\"instruction\":\"Do.\",\"input\":\"" + parts[0] + "\",\"output\":\"" + parts[1]
                                        + "\"}]")
                        .layout())
                .isEqualTo(Layout.ALPACA);
    }

    /** The label counts; one beside the text of another option is neither. */
    @Test
    void anOutputThatContradictsItself() throws IOException {
        ImportStage.Summary summary = imported(
                "en",
                "[{\"instruction\":\"\",\"input\":\"Q\\n1. 3\\n2. 1\\n3. 2\",\"output\":\"3\"},"
                        + "{\"instruction\":\"\",\"input\":\"Q\\nA. x\\nB. y\",\"output\":\"A. y\"},"
                        + "{\"instruction\":\"\",\"input\":\"Q\\nA. x\\nB. y\",\"output\":\"1\"}]");
        assertThat(out(Question.class)).extracting(Question::answer).containsExactly("C");
        assertThat(summary.skipped()).isEqualTo(2);
    }

    /** Responses name the labels that the model saw. */
    @Test
    void responsesWithOtherLabels() throws IOException {
        imported(
                "en",
                "[{\"instruction\":\"\",\"input\":\"Q\\n1. red\\n2. blue\\n3. green\",\"output\":\"2\",\"pred\":"
                        + "[\"Answer: 2\",\"The answer is 3.\",\"It is blue.\",\"none\"]}]");
        assertThat(out(Samples.class).getFirst().responses())
                .extracting(Samples.Response::answer)
                .containsExactly("B", "C", "B", null);
    }

    /** What looks like an option before the options is the question's; six options are six. */
    @Test
    void aQuestionThatTalksOfOptions() throws IOException {
        imported(
                "en",
                "[{\"instruction\":\"\",\"input\":\"Vitamin\\nA. is an option?\\nB. too?\\nWhich:\\nA. x\\nB. y\\nC. z\\nD. u\\nE. v\\nF. w\",\"output\":\"F\"}]");
        Question question = out(Question.class).getFirst();
        assertThat(question.question()).isEqualTo("Vitamin\nA. is an option?\nB. too?\nWhich:");
        assertThat(question.choices()).extracting(Choice::text).containsExactly("x", "y", "z", "u", "v", "w");
        assertThat(question.answer()).isEqualTo("F");
    }

    /** Windows wrote the file: a byte order mark, and two characters at the end of a line. */
    @Test
    void byteOrderMarksAndLineEnds() throws IOException {
        imported(
                "zh",
                "\uFEFF[{\"instruction\":\"a\",\"input\":\"Q\\r\\nA. x\\r\\nB. y\",\r\n\"output\":\"A\",\"pred\":[\"答案：Ｂ\"]}]\r\n");
        assertThat(out(Samples.class).getFirst().responses().getFirst().answer())
                .isEqualTo("B");
        assertThat(out(Samples.class).getFirst().choices()).containsExactly(new Choice("A", "x"), new Choice("B", "y"));
        imported(
                "en",
                "\uFEFF" + own("1", "Q", "A").replace("\n", "\r\n") + "\r\n"
                        + own("2", "R", "B").replace("\n", "\r\n"));
        assertThat(out(Question.class)).extracting(Question::id).containsExactly("1", "2");
        imported("en", "\uFEFFQuestion,A,B,C,D,Answer,Subject\r\nQ,1,2,3,4,C,x\r\n");
        assertThat(out(Question.class).getFirst().answer()).isEqualTo("C");
    }

    /** CommonsenseQA and MedQA as the hub has them. */
    @Test
    void formsOfTheHub() throws IOException {
        ImportStage.Summary summary = imported(
                "en",
                "{\"id\":\"q7\",\"question\":\"Where?\",\"question_concept\":\"x\",\"choices\":{\"label\":[\"A\",\"B\"],"
                        + "\"text\":[\"x\",\"y\"]},\"answerKey\":\"B\"}");
        assertThat(summary.layout()).isEqualTo(Layout.COMMONSENSE_QA);
        Question expected =
                new Question("q7", "en", "Where?", List.of(new Choice("A", "x"), new Choice("B", "y")), "B", null);
        assertThat(out(Question.class)).containsExactly(expected);
        imported(
                "en",
                "{\"id\":\"q7\",\"lang\":\"en\",\"question\":{\"stem\":\"Where?\",\"choices\":{\"label\":[\"A\",\"B\"],\"text\":[\"x\",\"y\"]}},\"answerKey\":\"B\"}");
        assertThat(out(Question.class)).containsExactly(expected);
        summary = imported(
                "en",
                "{\"id\":\"q7\",\"meta_info\":\"step1\",\"question\":\"Where?\",\"answer_idx\":\"B\",\"answer\":\"y\",\"options\":["
                        + "{\"key\":\"A\",\"value\":\"x\"},{\"key\":\"B\",\"value\":\"y\"}]}");
        assertThat(summary.layout()).isEqualTo(Layout.MEDQA);
        assertThat(out(Question.class)).containsExactly(expected);
        // Test sets keep the answers to themselves.
        imported(
                "en",
                "{\"id\":\"q7\",\"question\":{\"stem\":\"Where?\",\"choices\":[{\"label\":\"A\",\"text\":\"x\"},{\"label\":\"B\",\"text\":\"y\"}]},\"answerKey\":\"\"}");
        assertThat(out(Question.class).getFirst().answer()).isNull();
    }

    @Test
    void tellsWhatIsOdd() throws IOException {
        ImportStage.Summary summary = imported(
                "en",
                own("1", "Q", "A") + own("1", "Q", "A") + own("1", "Q", "B") + own("2", "Q", "A")
                        + own("3", "Q", "B")
                        + "{\"id\":\"4\",\"question\":\"R\",\"choices\":[{\"label\":\"A\",\"text\":\"x\"},{\"label\":\"B\",\"text\":\"x\"}]}");
        assertThat(summary.problems())
                .containsOnly(
                        Map.entry("duplicate", 1),
                        Map.entry("contradiction", 1),
                        Map.entry("repeated", 1),
                        Map.entry("repeated with another answer", 1),
                        Map.entry("same options", 1));
        assertThat(summary.items()).isEqualTo(4);
        assertThat(summary.skipped()).isEqualTo(2);
        assertThat(out(Question.class)).extracting(Question::id).containsExactly("1", "2", "3", "4");
        assertThat(Jsonl.read(folder.resolve("report.jsonl"), JsonNode.class)).hasSize(5);
    }

    @Test
    void comparesWithAnotherLanguage() throws IOException {
        Path other = Files.writeString(
                folder.resolve("en.jsonl"), own("1", "Q", "A") + own("2", "R", "B") + own("4", "S", "A"));
        ImportStage.Summary summary =
                imported("en", List.of(other), false, own("1", "Q", "A") + own("2", "R", "A") + own("3", "T", "A"));
        assertThat(summary.problems())
                .containsOnly(Map.entry("differs", 1), Map.entry("extra", 1), Map.entry("missing", 1));
        assertThat(summary.items()).isEqualTo(3);
    }

    /** An item too many, and one missing: the numbers and answers tell which belong together. */
    @Test
    void aligns() throws IOException {
        List<String> english = new ArrayList<>();
        List<String> french = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            String answer = i % 3 == 0 ? "A" : "B";
            english.add(own(String.valueOf(i), "Take " + (i * 7 + 3) + " of " + i * i, answer));
            french.add("{\"question\":\"Prenez " + (i * 7 + 3) + " de " + i * i + "\"," + CHOICES + ",\"answer\":\""
                    + answer + "\"}\n");
        }
        french.remove(20);
        french.add(10, "{\"question\":\"De trop\"," + CHOICES + ",\"answer\":\"B\"}\n");
        Path other = Files.writeString(folder.resolve("en.jsonl"), String.join("", english));
        assertThat(imported("fr", List.of(other), false, String.join("", french))
                        .problems())
                .containsKey("differs");
        ImportStage.Summary summary = imported("fr", List.of(other), true, String.join("", french));
        assertThat(summary.problems()).containsOnly(Map.entry("extra", 1), Map.entry("missing", 1));
        assertThat(out(Question.class))
                .filteredOn(question -> question.id().equals("25"))
                .singleElement()
                .matches(question -> question.question().equals("Prenez 178 de 625"));
        assertThat(out(Question.class))
                .extracting(Question::id)
                .contains("fr-only-10")
                .doesNotContain("20");
        assertThatThrownBy(() -> imported("fr", List.of(), true, "")).hasMessageContaining("parallel");
    }

    private String answers() {
        return out(Question.class).stream()
                .map(question -> question.answer() == null ? "-" : question.answer())
                .collect(Collectors.joining());
    }

    /** One item or more of each published layout, as the hub has them, with the answers that they have there. */
    @ParameterizedTest
    @CsvFileSource(resources = "published-layouts.csv", delimiter = '|', quoteCharacter = '`')
    void publishedLayouts(Layout layout, String items, String answers) throws IOException {
        ImportStage.Summary summary = imported(items.contains("thai") ? "th" : "en", items.replace("~", "\n"));
        assertThat(summary.layout()).isEqualTo(layout);
        assertThat(summary.skipped()).isZero();
        assertThat(answers()).isEqualTo(answers);
        if (items.contains("Q?\",\"options\":[\"(A)w")) {
            assertThat(out(Question.class).getFirst().choices())
                    .extracting(Choice::text)
                    .containsExactly("w", "x", "y", "z");
        }
        assertThat(summary.notes()).noneMatch(note -> answers.matches(".*[A-Z].*") && note.contains("no item"));
        if (answers.equals("-")) {
            assertThat(summary.notes()).contains("no item has an answer");
        }
    }

    private static String numbered(int... answers) {
        StringBuilder text = new StringBuilder("question,A,B,C,D,answer\n");
        for (int i = 0; i < answers.length; i++) {
            text.append("Q").append(i).append(",4,3,2,1,").append(answers[i]).append('\n');
        }
        return text.toString();
    }

    /** Places from 0 or from 1, never the texts of options that are numbers, and never in silence. */
    @Test
    void whatNumbersForAnswersMean() throws IOException {
        ImportStage.Summary summary = imported("ko", numbered(1, 4, 2));
        assertThat(answers()).isEqualTo("ADB");
        assertThat(summary.notes())
                .singleElement()
                .asString()
                .contains("positions from 1")
                .contains("answers_from text");
        // KMMLU's columns end with D, which is no answer.
        imported("ko", "question,answer,A,B,C,D\nQ,4,40,30,20,10\nR,1,4,3,2,1\n");
        assertThat(answers()).isEqualTo("DA");
        assertThat(imported("ko", numbered(3, 0, 2)).notes())
                .singleElement()
                .asString()
                .contains("positions from 0");
        assertThat(answers()).isEqualTo("DAC");
        summary = imported("ko", numbered(0, 4, 2));
        assertThat(answers()).isEqualTo("AC");
        assertThat(summary.examples().getFirst().text()).contains("in0:3").contains("from 0 on");
        assertThatThrownBy(() -> imported("ko", numbered(1, 3, 2)))
                .isInstanceOfSatisfying(
                        CalmException.class, e -> assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT))
                .hasMessageContaining("from 1 to 3")
                .hasMessageContaining("answersFrom");
        Path file = Files.writeString(folder.resolve("three.csv"), numbered(1, 3, 2));
        for (String[] said : new String[][] {{"0", "BDC"}, {"1", "ACB"}, {"text", "DBC"}}) {
            new ImportStage(List.of(file), "ko", said[0], List.of(), false, folder.resolve("out.jsonl"), null).run();
            assertThat(answers()).as(said[0]).isEqualTo(said[1]);
        }
        assertThatThrownBy(() -> new ImportStage(
                                List.of(file), "ko", "2", List.of(), false, folder.resolve("out.jsonl"), null)
                        .run())
                .hasMessageContaining("answersFrom");
        // A text among texts that are numbers may be either.
        assertThatThrownBy(() ->
                        imported("en", "{\"question\":\"1+1\",\"choices\":[\"3\",\"4\",\"2\",\"1\"],\"answer\":\"1\"}"))
                .hasMessageContaining("answersFrom");
        assertThat(imported("en", "{\"question\":\"9*9\",\"choices\":[\"80\",\"81\"],\"answer\":\"81\"}")
                        .notes())
                .singleElement()
                .asString()
                .contains("texts");
        assertThat(answers()).isEqualTo("B");
    }

    /** An option without a text does not cut off those behind it. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"question\":\"Q\",\"A\":\"w\",\"B\":null,\"C\":\"y\",\"D\":\"z\",\"answer\":\"D\"}",
                "{\"question\":\"Q\",\"choices\":[\"w\",null,\"y\",\"z\"],\"answer\":3}",
                "{\"question\":\"Q\",\"A\":\"w\",\"B\":\"\",\"C\":\"y\",\"D\":\"z\"," + "\"E\":null,\"answer\":\"D\"}",
                "question,A,B,C,D,answer\nQ,w,,y,z,D\n",
                "{\"question\":\"Q\",\"opa\":\"w\",\"opb\":null,\"opc\":\"y\",\"opd\":\"z\",\"cop\":4}"
            })
    void anOptionWithoutAText(String item) throws IOException {
        ImportStage.Summary summary = imported("en", item);
        assertThat(out(Question.class).getFirst().choices())
                .containsExactly(new Choice("A", "w"), new Choice("C", "y"), new Choice("D", "z"));
        assertThat(answers()).isEqualTo("D");
        assertThat(summary.problems()).containsOnly(Map.entry("empty option", 1));
        assertThatThrownBy(() ->
                        imported("en", "{\"question\":\"Q\",\"A\":\"w\",\"B\":null,\"C\":\"y\",\"answer\":\"B\"}"))
                .hasMessageContaining("not one of the labels");
        assertThat(imported("en", "{\"question\":\"Q\",\"A\":\"w\",\"B\":\"x\",\"C\":null,\"D\":null,\"answer\":\"B\"}")
                        .problems())
                .isEmpty();
    }

    /** The right one stands first in the file; here it stands where the id puts it. */
    @Test
    void truthfulQa() throws IOException {
        String item = "{\"question\":\"Q%d?\",\"mc1_targets\":{\"choices\":[\"right\",\"b\",\"c\",\"d\"],"
                + "\"labels\":[1,0,0,0]},\"mc2_targets\":{}}\n";
        StringBuilder items = new StringBuilder();
        for (int i = 0; i < 40; i++) {
            items.append(String.format(item, i));
        }
        assertThat(imported("en", items.toString()).layout()).isEqualTo(Layout.TRUTHFUL_QA);
        assertThat(out(Question.class))
                .allMatch(question -> question.choices().contains(new Choice(question.answer(), "right")));
        assertThat(answers().chars().distinct().count()).isEqualTo(4);
    }

    @Test
    void answersThatContradictEachOther() throws IOException {
        ImportStage.Summary summary = imported(
                "en",
                "{\"question\":\"Q\",\"options\":[\"a\",\"b\"],\"answer\":\"A\",\"answer_index\":1}\n"
                        + "{\"question\":\"R\",\"options\":[\"a\",\"b\"],\"answer\":\"A\",\"answer_index\":0}");
        assertThat(summary.skipped()).isEqualTo(1);
        assertThat(summary.examples().getFirst().text()).contains("answer_index 1 is B");
        assertThatThrownBy(
                        () -> imported("en", "{\"question\":\"Q\",\"options\":[\"a\",\"b\"],\"answer\":[\"A\",\"B\"]}"))
                .hasMessageContaining("more than one answer");
    }

    /** Separators too many or too few in the line with the names, as BMLAMA17's Chinese file has one. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "Prompt\tAns\tCandidate Ans\tSubject\t",
                "\tPrompt\tAns\tCandidate Ans\tSubject",
                "Prompt\t\tAns\tCandidate Ans\tSubject",
                "Prompt\tAns\tCandidate Ans",
                "Prompt\tAns\tCandidate Ans\tSubject"
            })
    void headersThatDoNotFit(String head) throws IOException {
        imported("zh", head + "\nX 出生在 <mask>\t罗马\t巴黎, 波恩, 罗马\tX\nY 出生在 <mask>\t基尔\t波恩, 罗马, 基尔\tY\t\t\n");
        List<Question> questions = out(Question.class);
        assertThat(questions).extracting(Question::question).containsExactly("X 出生在 ___", "Y 出生在 ___");
        assertThat(questions.getFirst().choices()).extracting(Choice::text).containsExactlyInAnyOrder("巴黎", "波恩", "罗马");
        assertThat(questions.getFirst().answer()).isNotNull();
    }

    @Test
    void anIndexWithoutAName() throws IOException {
        imported("en", "question,A,B,answer\n0,Q,x,y,B\n1,R,z,u,A\n");
        assertThat(out(Question.class)).extracting(Question::question).containsExactly("Q", "R");
        assertThat(out(Question.class)).extracting(Question::answer).containsExactly("B", "A");
        assertThatThrownBy(() -> imported("en", "index,question,A,B,answer\n0,Q,x,y,B\nR,z,u,A\n"))
                .hasMessageContaining("in0:3");
        assertThatThrownBy(() -> imported("en", ",question,A,B,answer\n0,Q,x,y,B\nR,z,u,A\n"))
                .hasMessageContaining("in0:3");
    }

    @ParameterizedTest
    @CsvSource({"PAR1, Parquet", "'PK\3\4', ZIP", "'\u001f\u008b', gzip"})
    void whatIsNotReadIsSaid(String magic, String name) throws IOException {
        Path file =
                Files.write(folder.resolve("x.parquet"), (magic + "\0\0\0\0").getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(
                        () -> new ImportStage(List.of(file), "en", List.of(), false, folder.resolve("out"), null).run())
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("JSON Lines");
    }

    @Test
    void brokenTablesSayWhere() {
        assertThatThrownBy(() -> imported("en", "question,A,B,answer\nQ,a,b,A\nQ,a,b\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("in0:3")
                .hasMessageContaining("3 cells");
        assertThatThrownBy(() -> imported("en", "nonsense"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("in0:1");
        assertThatThrownBy(() -> imported("en", "[{\"id\":1},\n\n oops]"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("in0:3");
        assertThatThrownBy(() -> imported("en", "question,A,B,answer\n\"Q,a,b,A\n"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("in0:2");
    }

    @Test
    void whatIsUnknownOrMixedIsAnError() {
        assertThatThrownBy(() -> imported("en", "[{\"a\":1}]"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("in0[0]");
        assertThatThrownBy(() -> imported("en", "[]"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("no items");
        assertThatThrownBy(() -> imported("klingon", "[]"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("ISO 639-1");
        assertThatThrownBy(() -> imported("en", "[{\"conversations\":[]}]"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("has no turns");
        assertThatThrownBy(() -> imported(
                        "en",
                        "[{\"instruction\":\"a\",\"output\":\"b\"},"
                                + "{\"question\":\"?\",\"options\":{\"A\":\"x\"}}]"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("in0[1]");
        assertThat(folder.resolve("out.jsonl")).doesNotExist();
    }
}
