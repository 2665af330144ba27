package org.calm4j.calm.extract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.data.Question.Choice;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hostile texts take time in proportion to their length. */
@Tag("slow")
class ExtractionTimeTest {
    private static final int SHORT = 10_000;
    private static final int TIMES = 8;
    /** Eight times the text may take this many times as long: a quadratic rule takes 64 times; the rest is for a busy machine. */
    private static final double MOST = 28;
    /** What takes less than this is linear enough, whatever the clock says. */
    private static final long NANOSECONDS = 150_000_000;

    private static AnswerExtractor extractor(int options) {
        List<Choice> choices = new ArrayList<>();
        for (int i = 0; i < options; i++) {
            choices.add(new Choice(
                    String.valueOf((char) ('A' + i)),
                    i == 0 ? "africa" : i == 1 ? "aaaa" : i == 2 ? "(" : "option " + i));
        }
        return new AnswerExtractor(choices);
    }

    @Timeout(120)
    @ParameterizedTest
    @ValueSource(
            strings = {
                "\\boxed{",
                "1. ",
                "答案是",
                "africa ",
                "(",
                "[",
                "not ",
                "不是",
                "A, ",
                "A or ",
                "the answer is ",
                "A is wrong. ",
                "if ",
                "<think>",
                "</think>",
                "\n",
                "A\n",
                "- A\n",
                "Answer: A\n",
                "none of the options ",
                "A–",
                "is ",
                "option 3 ",
                "第3个选项",
                "other options ",
                "wrong answer ",
                "so ",
                "no, ",
                "A (",
                "aaaa",
                "not in the list ",
                "B is correct. ",
                "A √ ",
                "①",
                "\u200E",
                "e\u0301",
                "Answer: the ",
                "but ",
                "not B but "
            })
    void isLinear(String part) {
        for (int options : new int[] {5, 26}) {
            AnswerExtractor extractor = extractor(options);
            String text = part.repeat(SHORT / part.length());
            String more = text.repeat(TIMES);
            extractor.extract(text);
            double ratio = Double.MAX_VALUE;
            for (int i = 0; i < 3 && ratio > MOST; i++) {
                long once = nanoseconds(extractor, text);
                long times = nanoseconds(extractor, more);
                ratio = times < NANOSECONDS ? 0 : Math.min(ratio, (double) times / once);
            }
            assertThat(ratio)
                    .as("%s, %d options: %d times the text", part, options, TIMES)
                    .isLessThan(MOST);
        }
    }

    private static long nanoseconds(AnswerExtractor extractor, String text) {
        long start = System.nanoTime();
        extractor.extract(text);
        return System.nanoTime() - start;
    }
}
