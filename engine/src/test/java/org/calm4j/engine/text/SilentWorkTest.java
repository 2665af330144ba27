package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What tokenizers are published with is far from the bound; what never ends is beyond it. */
final class SilentWorkTest {
    private static final double MOST = 100_000;

    @Test
    void published() {
        for (WordPattern words : WordPattern.values()) {
            assertThat(SilentWork.of(words.regex())).isLessThan(10);
        }
        for (String regex : List.of(
                "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                        + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
                        + "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s+",
                "[一-龥\u3040-ゟ゠-ヿ]+",
                "(?<=[.!?])\\s+",
                "^\\s+|\\s+$",
                "(?<n>a)\\k<n>",
                "\\Qa{3}\\E",
                "a{1000000}",
                "(?i)x",
                "(?:ab?){1,20}",
                "[]a]{3}",
                "(?:[a-z]{2,3}-){0,5}\\d+")) {
            assertThat(SilentWork.of(regex)).as(regex).isLessThan(1000);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(?:a?|b?){30}x",
                "(?:^{1000000}){1000000}",
                "(?:(?:a*|b*)(?:a*|b*)){10}c",
                "(?:|){40}",
                "(?:(?=a?)|b*|\\b){12}",
                "(?:^?){2000000000}",
                "(?:(?:(?:){1000}){1000}){1000}",
                "(?:\\G|\\A|$){20}(?!)"
            })
    void endless(String regex) {
        assertThat(SilentWork.of(regex)).isGreaterThan(MOST);
    }
}
