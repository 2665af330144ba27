package org.calm4j.calm.extract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.calm4j.calm.data.Question.Choice;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class AnswerExtractorTest {
    private static final List<Choice> CHOICES = List.of(
            new Choice("A", "Western Africa"),
            new Choice("B", "Africa"),
            new Choice("C", "东亚"),
            new Choice("D", "café"));

    @ParameterizedTest
    @CsvSource(delimiter = '|', nullValues = "-", textBlock = """
            The answer is (B).                                            | B
            the answer is b                                               | B
            First I thought the answer is A. No, the answer is (D).       | D
            **Answer: C**                                                 | C
            The correct answer is: "A"                                    | A
            So \\boxed{B}                                                 | B
            答案是B。                                                      | B
            所以答案是（Ｃ）。                                              | C
            正确答案：D                                                    | D
            故选C                                                         | C
            La réponse est (C)                                            | C
            La bonne réponse est donc D                                   | D
            Réponse : A                                                   | A
            Die Antwort ist A.                                            | A
            Die richtige Antwort lautet (D)                               | D
            La risposta è B                                               | B
            La risposta corretta è (C).                                   | C
            答えはD                                                       | D
            正解は「A」です                                                 | A
            La respuesta correcta es (B)                                  | B
            정답은 C                                                      | C
            B                                                             | B
            (C)                                                           | C
            D. because of the coffee                                      | D
            A cat sat on the mat                                          | -
            I would go for Western Africa here.                           | A
            It lies in Africa, I am sure.                                 | B
            Not Africa. It is 东亚。                                        | C
            它属于东亚。                                                    | C
            One drinks it in a CAFÉ                                       | D
            One drinks it in cafés                                        | -
            Africa or 东亚, who knows                                      | -
            The answer is (H)                                             | -
            nothing                                                       | -
            Answer: <D>                                                   | D
            {"reason": "…", "answer": "C"}                                | C
            答案：Ｂ．东亚                                                  | B
            答案:BC                                                       | -
            答案:A、B、C                                                  | -
            Réponse: A ou C                                               | -
            Antwort: A oder B                                             | -
            正解はBまたはC                                                  | -
            The answer is A, B or C                                       | -
            Answer: A. Western Africa or D. café                          | -
            Answer: B, A is too narrow                                    | B
            Answer: D. café (and not A)                                   | D
            Réponse: Aucune des options ci-dessus                         | -
            答案:没有正确的选项                                            | -
            Answer: A. The correct answer is none of them.                | -
            答案:A. Western Africa (错误)                                  | -
            Réponse: B. La réponse A est incorrecte.                      | B
            Answer: A café                                                | D
            the answer is a small place                                   | -
            Option B is correct.                                          | B
            C が正解です                                                    | C
            選択肢Dが正しいです。                                            | D
            B ist richtig                                                 | B
            A is not correct                                              | -
            The A-team would say so                                       | -
            I cannot help you with this                                   | -
            Zuerst A. Die Antwort ist also: **(D) café**                  | D
            """)
    void decides(String response, String label) {
        assertThat(AnswerExtractor.extract(response, CHOICES)).isEqualTo(label);
    }

    /** A name is one word whose parts a no-break space joins. */
    @Test
    void namesOfTheSmallWorld() {
        List<Choice> choices = List.of(
                new Choice("A", "French"), new Choice("B", "Tahitian"), new Choice("C", "西亚"), new Choice("D", "东南亚"));
        assertThat(AnswerExtractor.extract("The main language of French\u00A0Polynesia is Tahitian .", choices))
                .isEqualTo("B");
        assertThat(AnswerExtractor.extract("The main language of French\u00A0Polynesia is French .", choices))
                .isEqualTo("A");
        assertThat(AnswerExtractor.extract("马来西亚 属于 东南亚 。", choices)).isEqualTo("D");
        assertThat(AnswerExtractor.extract("French\u00A0Polynesia", choices)).isNull();
        List<Choice> regions = List.of(new Choice("A", "西非"), new Choice("B", "中非"), new Choice("C", "カリブ"));
        assertThat(AnswerExtractor.extract("加纳 属于 西非 。", regions)).isEqualTo("A");
        assertThat(AnswerExtractor.extract("中非共和国 は カリブ に あります 。", regions)).isEqualTo("C");
    }

    /** A negation denies the option that a sentence states, unless it is part of the option's own text. */
    @Test
    void negationsWithinAnOption() {
        List<Choice> choices =
                List.of(new Choice("A", "Do not disclose the diagnosis"), new Choice("B", "Call the police"));
        assertThat(AnswerExtractor.extract("The physician should do not disclose the diagnosis.", choices))
                .isEqualTo("A");
        assertThat(AnswerExtractor.extract("One would not call the police.", choices))
                .isNull();
    }

    /** Which rule decided, on which words, and where. */
    @Test
    void explains() {
        AnswerExtractor extractor = new AnswerExtractor(CHOICES);
        assertThat(extractor.extract("So far. Answer: D. café"))
                .isEqualTo(new Extraction("D", Extraction.Rule.STATEMENT, "Answer: D. café", 8, false));
        assertThat(extractor.extract("Answer: B. café"))
                .isEqualTo(new Extraction("B", Extraction.Rule.STATEMENT, "Answer: B", 0, true));
        assertThat(extractor.extract("Answer: B. café").label())
                .as("the label counts")
                .isEqualTo("B");
        assertThat(extractor.extract("答案:A或B").rule()).isEqualTo(Extraction.Rule.SEVERAL);
        assertThat(extractor.extract("Réponse : Aucune").rule()).isEqualTo(Extraction.Rule.NONE);
        assertThat(extractor.extract("Answer: A. This is incorrect."))
                .isEqualTo(new Extraction(null, Extraction.Rule.WITHDRAWN, "This is incorrect", 11, false));
        assertThat(extractor.extract("(C)").rule()).isEqualTo(Extraction.Rule.LABEL_LINE);
        assertThat(extractor.extract("It lies in Africa, I am sure.").rule()).isEqualTo(Extraction.Rule.OPTION_TEXT);
        assertThat(extractor.extract("I'm sorry, Africa I cannot discuss.").rule())
                .isEqualTo(Extraction.Rule.REFUSAL);
        assertThat(extractor.extract("It is said of Africa.\n\nAnswer:").rule()).isEqualTo(Extraction.Rule.CUT);
    }

    /** Where two options have the same text, it does not say which. */
    @Test
    void optionsWithOneText() {
        List<Choice> choices = List.of(new Choice("A", "town"), new Choice("B", "city"), new Choice("C", "city"));
        assertThat(AnswerExtractor.extract("Answer: city", choices)).isNull();
        assertThat(AnswerExtractor.extract("It is a city.", choices)).isNull();
        assertThat(new AnswerExtractor(choices).extract("Answer: C. city"))
                .isEqualTo(new Extraction("C", Extraction.Rule.STATEMENT, "Answer: C. city", 0, false));
    }

    /** Accents composed of two characters, and the many forms of a Latin letter. */
    @Test
    void otherFormsOfCharacters() {
        assertThat(AnswerExtractor.extract("Re\u0301ponse : cafe\u0301", CHOICES))
                .isEqualTo("D");
        assertThat(AnswerExtractor.extract("答案：Ⓑ", CHOICES)).isEqualTo("B");
        assertThat(AnswerExtractor.extract("Ｔｈｅ　ａｎｓｗｅｒ　ｉｓ　（Ｃ）．", CHOICES)).isEqualTo("C");
        assertThat(AnswerExtractor.extract("Réponse\u00A0:\u00A0A", CHOICES)).isEqualTo("A");
        assertThat(AnswerExtractor.extract("Answer: \uD835\uDC01 or \uD83C\uDD72", CHOICES))
                .as("bold B, squared C")
                .isNull();
    }

    /** What decided is quoted as it was written, where it was written, whatever was folded or left out before it. */
    @Test
    void explainsInTheWordsOfTheResponse() {
        AnswerExtractor extractor = new AnswerExtractor(CHOICES);
        String response = "<think>The answer is A.</think>\u200FAnswer:\u200E（Ｃ）";
        Extraction found = extractor.extract(response);
        assertThat(found).isEqualTo(new Extraction("C", Extraction.Rule.STATEMENT, "Answer:\u200E（Ｃ）", 32, false));
        assertThat(response.substring(found.from())).startsWith(found.span());
        Extraction bold = extractor.extract("… so \\boxed{\uD835\uDC01}");
        assertThat(bold.span()).isEqualTo("boxed{\uD835\uDC01}");
        assertThat(extractor.extract("(\u2460) café").rule())
                .isIn(Extraction.Rule.LABEL_LINE, Extraction.Rule.OPTION_TEXT);
        assertThat(extractor.extract("<think>The answer is A.").rule()).isEqualTo(Extraction.Rule.CUT);
        assertThat(extractor.extract("It depends on the café.").rule()).isEqualTo(Extraction.Rule.REFUSAL);
    }

    /** Labels that are no letters have no other names; a number is then a label. */
    @Test
    void numbersAsLabels() {
        List<Choice> choices = List.of(new Choice("1", "red"), new Choice("2", "blue"), new Choice("3", "green"));
        assertThat(AnswerExtractor.extract("Answer: 2", choices)).isEqualTo("2");
        assertThat(AnswerExtractor.extract("The answer is option 3.", choices)).isEqualTo("3");
        assertThat(AnswerExtractor.extract("উত্তর: খ", choices)).isNull();
        List<Choice> numbers = List.of(new Choice("A", "3"), new Choice("B", "2"), new Choice("C", "1"));
        assertThat(AnswerExtractor.extract("Answer: 3", numbers))
                .as("the option's text")
                .isEqualTo("A");
    }

    @Test
    void emptyAndHuge() {
        assertThat(AnswerExtractor.extract("", CHOICES)).isNull();
        assertThat(AnswerExtractor.extract(" \n\t ", CHOICES)).isNull();
        assertThat(AnswerExtractor.extract("(".repeat(2_000_000) + "The answer is (B)", CHOICES))
                .isEqualTo("B");
        assertThat(AnswerExtractor.extract("answer is ".repeat(200_000), CHOICES))
                .isNull();
        assertThat(AnswerExtractor.extract(" ".repeat(300_000) + "x", CHOICES)).isNull();
        for (String part : List.of(
                "A (",
                "A or ",
                "B is ",
                "答案是",
                "not A but ",
                "A, ",
                "A ",
                "answer: the ",
                "africa " + "",
                "\\boxed{",
                "e\u0301",
                "\n",
                "A:\n",
                "…。")) {
            assertThat(AnswerExtractor.extract(part.repeat(200_000 / part.length()), CHOICES))
                    .as(part)
                    .isIn(null, "A", "B");
        }
    }
}
