package org.calm4j.calm.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.text.Normalizer;
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
            assertThat(Languages.plausible(text, other))
                    .as("%s taken for %s", text, other)
                    .isEqualTo(other.equals(language));
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

    /** Kanji alone may be Japanese as long as nothing in them is Chinese. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        ja | true  | 正解選択肢：自動販売機
        ja | true  | 東京都千代田区永田町一丁目七番地、国立国会図書館
        ja | true  | 経済的要因、社会的要因、政治的要因、文化的要因
        ja | true  | 解答：Ｂ。国際連合安全保障理事会常任理事国、不在者投票、有限会社、我田引水、完了
        ja | true  | スーパーコンピューター
        ja | true  | 國學院大學渋谷校舎
        zh | true  | 東京都千代田区永田町一丁目
        ja | false | 医院是病人治疗的地方
        ja | false | 銀行是人們存錢的地方，因此最有可能是這個答案。
        ja | false | 因为水族馆里有很多海葵，所以选水族馆
        ja | false | 정답은 은행입니다. 사람들이 돈을 보관합니다.
        ko | false | 自動販売機、国立国会図書館
        """)
    void kanjiAlone(String language, boolean plausible, String text) {
        assertThat(Languages.plausible(text, language)).isEqualTo(plausible);
    }

    /** Neighbours get the benefit of the doubt where words do not tell them apart, and what is not in the file is never objected to. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        uk | Банк, де люди тримають гроші
        ru | Банк для людей
        ar | بانک جایی است که مردم پول خود را نگه می‌دارند
        ur | بینک وہ جگہ ہے جہاں لوگ پیسے رکھتے ہیں
        fa | بانک جایی است که مردم پول نگه می‌دارند
        mr | बँक ही अशी जागा आहे जिथे लोक पैसे ठेवतात
        hi | बँक ही अशी जागा आहे
        no | Banken er et sted der folk oppbevarer pengene sine, og det er svaret
        da | Banken er et sted, hvor folk opbevarer deres penge, og det er svaret
        hr | Banka je mjesto gdje ljudi drže novac, i to je odgovor
        sr | Банка је место где људи држе новац
        id | Bank ialah tempat orang menyimpan wang mereka
        pt | El banco del centro
        es | O banco da praça
        vi | ngân hàng là nơi mọi người giữ tiền của họ, và đó là câu trả lời
        """)
    void neighbours(String language, String text) {
        assertThat(Languages.plausible(text, language)).isTrue();
        assertThat(Languages.plausible(Normalizer.normalize(text, Normalizer.Form.NFD), language))
                .isTrue();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        en | false | ''
        en | false | '\u200B'
        en | false | B
        ja | false | 42, 1900 -- 7 ー ー ー ー ー ー ー ー
        en | true  | Answer: bank
        tlh | false | The answer is the bank
        """)
    void whatSaysNothingIsInNoLanguage(String language, boolean tells, String text) {
        assertThat(Languages.canTell(text, language)).isEqualTo(tells);
    }
}
