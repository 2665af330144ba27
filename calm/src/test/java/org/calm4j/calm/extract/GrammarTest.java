package org.calm4j.calm.extract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class GrammarTest {
    static final List<String> LANGUAGES = Grammar.LANGUAGES;

    /** Texts are searched folded and in lower case: a phrase in another form would never be found. */
    @ParameterizedTest
    @FieldSource("LANGUAGES")
    void phrasesAreInTheFormThatIsSearched(String language) {
        Map<Word, List<String>> grammar = Grammar.read(language);
        if (!language.equals("any")) {
            assertThat(grammar.get(Word.ANSWER)).isNotEmpty();
            assertThat(grammar.get(Word.OR)).isNotEmpty();
        }
        grammar.forEach((word, phrases) -> assertThat(phrases)
                .as("%s", word)
                .doesNotHaveDuplicates()
                .allMatch(phrase -> !phrase.isBlank()
                        && phrase.equals(
                                CharClass.lower(Folded.of(phrase).text()).strip())));
    }

    @Test
    void theLongestPhraseAsAWhole() {
        assertThat(Grammar.ALL.match(Word.ANSWER, "the correct option is", 4)).isEqualTo("correct option".length());
        assertThat(Grammar.ALL.match(Word.ANSWER, "answered", 0)).isZero();
        assertThat(Grammar.ALL.match(Word.ANSWER, "unanswer", 2)).isZero();
        assertThat(Grammar.ALL.match(Word.ANSWER, "正确答案是", 0)).isEqualTo(4);
        assertThat(Grammar.ALL.match(Word.WRONG, "correct", 0)).isZero();
    }

    /** Short words count only in a text's own languages; where nothing tells which these are, in all. */
    @Test
    void wordsOfOneLanguageAreNoneOfAnother() {
        Phrases french = new Phrases("la réponse est donc non, un plus");
        assertThat(french.match(Word.REVISION, "la réponse est donc ".length())).isEqualTo("non,".length());
        Phrases german = new Phrases("die antwort ist a, non, und das ist der grund");
        assertThat(german.match(Word.REVISION, "die antwort ist a, ".length())).isZero();
        assertThat(german.match(Word.ANSWER, "die ".length())).isPositive();
        assertThat(new Phrases("nein, c").match(Word.REVISION, 0)).isPositive();
    }
}
