package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.NullNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is scanned by hand is cut where the regular expression cuts. */
final class WordPatternTest {
    private static final Part PART = new Part(NullNode.instance, "pattern", "test");

    @ParameterizedTest
    @EnumSource
    void scannersCutWhereTheirExpressionCuts(WordPattern words) {
        TextPattern regex = BoundedRegex.of(words.regex(), PART);
        assertThat(WordPattern.of(words.regex())).isSameAs(words);
        for (String text : Texts.all()) {
            check(text, words, regex);
        }
        check(String.join("", Texts.random(2000)), words, regex);
        for (int c = 0; c < 0x33000; c++) {
            if (c < 0xD800 || c >= 0xE000) {
                String letter = Character.toString(c);
                check("a" + letter + letter + "1" + letter + " " + letter + "'" + letter + "\n" + letter, words, regex);
            }
        }
    }

    private static void check(String text, WordPattern words, TextPattern regex) {
        IntArrayList scanned = new IntArrayList();
        words.find(text, scanned, new Allowance(PART, text.length()));
        IntArrayList matched = new IntArrayList();
        regex.find(text, matched, new Allowance(PART, text.length()));
        assertThat(scanned.toIntArray()).as("%s", text).isEqualTo(matched.toIntArray());
    }
}
