package org.calm4j.calm.translate;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LanguagesTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        en | The bank is where people keep their money, so it is the most likely place. Answer: B
        fr | La banque est l’endroit où les gens gardent leur argent. Réponse : B
        de | In der Bank bewahren die Leute ihr Geld auf, und das ist nicht der Supermarkt. Antwort: B
        it | La banca è il luogo dove le persone tengono il denaro, perché non è in casa. Risposta: B
        es | El banco es el lugar donde la gente guarda su dinero. Respuesta: B
        pt | O banco é o lugar onde as pessoas guardam o seu dinheiro. Resposta: B
        vi | Ngân hàng là nơi mọi người giữ tiền của họ. Câu trả lời: B
        sw | Benki ni mahali ambapo watu huweka pesa zao kwa usalama. Jibu: B
        ru | Банк это место, где люди хранят деньги. Ответ: B
        zh | 银行是人们存钱的地方，因此最有可能。答案：B
        ja | 銀行はお金を預ける場所です。答え：B
        ko | 은행은 사람들이 돈을 보관하는 곳입니다. 답: B
        ar | البنك هو المكان الذي يحفظ فيه الناس أموالهم. الإجابة: B
        hi | बैंक वह जगह है जहाँ लोग पैसा रखते हैं। उत्तर: B
        """)
    void aTextIsInItsOwnLanguageAndInNoOther(String language, String text) {
        for (String other : "en fr de it es pt vi sw ru zh ja ko ar hi".split(" ")) {
            assertThat(Languages.plausible(text, other)).as("%s taken for %s", text, other).isEqualTo(other.equals(language));
        }
        assertThat(Languages.plausible(text, "xx")).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"B", "42", "'Answer: B'", "'Brasilien : Die Region heißt Südamerika .'", "''"})
    void whatIsTooShortToTellPasses(String text) {
        assertThat(Languages.plausible(text, "fr")).isTrue();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        fr | true  | La réponse est « town », car the town is l’endroit que les patients de la clinique habitent.
        fr | false | Explication : someone who takes competition seriously trains hard, and that is what it takes to win. Réponse: B
        zh | false | 解释: dogs are carnivores and they like to eat meat, so the correct answer is this. 答案: B
        zh | true  | 解释: 圣地亚哥（San Diego）的海军舰艇很多，所以答案是这个。答案：B
        ja | false | 银行是人们存钱的地方，因此最有可能是这个答案。
        """)
    void mixturesGoByTheLargerPart(String language, boolean plausible, String text) {
        assertThat(Languages.plausible(text, language)).isEqualTo(plausible);
    }
}
