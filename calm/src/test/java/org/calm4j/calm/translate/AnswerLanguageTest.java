package org.calm4j.calm.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Question.Choice;
import org.calm4j.calm.data.Samples;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AnswerLanguageTest {
    private static final Map<String, List<String>> OPTIONS = Map.of(
            "fr",
            List.of("Asie du Sud-Est", "Europe occidentale", "anglais"),
            "de",
            List.of("Südostasien", "Westeuropa", "Englisch"),
            "it",
            List.of("Sud-est asiatico", "Europa occidentale", "inglese"),
            "es",
            List.of("sudeste asiático", "Europa occidental", "inglés"),
            "en",
            List.of("Southeast Asia", "Western Europe", "English"),
            "zh",
            List.of("东南亚", "西欧", "英语"),
            "ja",
            List.of("東南アジア", "西ヨーロッパ", "英語"),
            "ru",
            List.of("Юго-Восточная Азия", "Западная Европа", "английский"),
            "sw",
            List.of("Asia ya Kusini Mashariki", "Ulaya ya Magharibi", "Kiingereza"),
            "tlh",
            List.of("a", "b"));

    private static boolean own(String language, String text) {
        List<String> options = OPTIONS.get(language);
        List<Choice> choices = java.util.stream.IntStream.range(0, options.size())
                .mapToObj(i -> new Choice(String.valueOf((char) ('A' + i)), options.get(i)))
                .toList();
        return new AnswerLanguage(new Samples(
                        new Question("1", language, "?", choices, null, null), new Prompt("?", null), List.of()))
                .isOwn(text);
    }

    /** The reasoning may be in any language; the sentence that states the answer decides, wherever it stands. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
        fr | The region is the one that is in the south. La réponse est B.
        fr | The place is in Asia, and that is what the text says.\u0020Réponse : A
        de | It is in the south of the continent, as the book says. Die Antwort ist C.
        de | It is in the south of the continent, as the book says.\u0020Antwort: C
        zh | 解释: dogs are carnivores and they like to eat meat, so this is it. 答案：B
        zh | 答案：B。 Explanation: dogs are carnivores and they like to eat meat.
        ja | The region of the place is the one in the south. 答えは東南アジアです。
        ru | It is in the south, and that is the answer to what was asked. Ответ: B
        sw | It is in the south, and that is what the book says. Jibu ni B.
        it | The book says « the answer is in the south of it ». La risposta è B.
        fr | Comme on dit, « the answer is what the people of the town say ». C’est donc B.
        fr | La réponse est « the answer is what it was », donc B.
        fr | B
        fr | Asie du Sud-Est
        zh | 东南亚
        en | Die Region ist die im Süden, wie es in dem Buch steht. So the answer is A.
        es | The region is the one that is in the south. La respuesta es B.
        tlh | The answer is what it was in the house of the people.
        """)
    void answersInItsOwnLanguage(String language, String text) {
        assertThat(own(language, text.replace("\\u0020", " "))).isTrue();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
        fr | The region is the one that is in the south of it. The answer is B.
        fr | La région est celle qui est dans le sud. The answer is B.
        fr | Answer: B
        fr | La région est celle du sud, comme le dit le livre. Answer: B
        fr | The region is the one that is in the south of it. B
        fr | So the answer to this is Asie du Sud-Est
        fr | 答案：B
        zh | Answer: B
        zh | 这个地方在南方，书上这样说。So the answer is B.
        zh | The region is the one in the south. The answer is 东南亚.
        ja | The region is the one that is in the south.
        de | La réponse est B.
        en | La réponse est B.
        it | Die Antwort ist B.
        ru | The answer is B.
        ru | The region is the one that is in the south. B
        sw | The answer is B because that is what the book says.
        """)
    void answersInAnother(String language, String text) {
        assertThat(own(language, text)).isFalse();
    }

    /** As the small world writes detours: the name is asked in another language, the fact stated there, and the value comes back. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
        fr | fr Singapour = en Singapore . Singapore belongs to the Southeast Asia region . en Southeast Asia = fr Asie du Sud-Est .
        de | de Singapur = en Singapore . The main language of Singapore is English . en English = de Englisch .
        it | it Singapore = de Singapur . Singapur : Die Region heißt Südostasien . de Südostasien = it Sud-est asiatico .
        zh | zh 新加坡 = de Singapur . Singapur : Die Region heißt Südostasien . de Südostasien = zh 东南亚 .
        ja | ja シンガポール = en Singapore . Singapore belongs to the Southeast Asia region . en Southeast Asia = ja 東南アジア .
        en | en Singapore = de Singapur . Singapur : Die Region heißt Südostasien . de Südostasien = en Southeast Asia .
        ru | ru Сингапур = en Singapore . Singapore belongs to the Southeast Asia region . en Southeast Asia = ru Юго-Восточная Азия .
        sw | sw Singapore = en Singapore . The main language of Singapore is English . en English = sw Kiingereza .
        de | de Singapur = en Singapore . The main language of Singapore is English . en English = de Malaiisch .
        """)
    void aDetourAnswersInTheLanguageThatItComesBackTo(String language, String text) {
        assertThat(own(language, text)).isTrue();
    }
}
