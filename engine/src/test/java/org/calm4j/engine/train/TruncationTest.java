package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.train.Truncation.Mode;
import org.junit.jupiter.api.Test;

/** Against what TRL does: tokens and a mask of those to learn, both cut as one list. */
final class TruncationTest {
    /** A token, and whether it is learnt. */
    private record Marked(int token, boolean learnt) {}

    @Test
    void pairsAreCutSequenceBySequence() {
        Random random = new Random(1);
        int different = 0;
        for (int i = 0; i < 500; i++) {
            int max = 2 + random.nextInt(12);
            Mode mode = random.nextBoolean() ? Mode.KEEP_START : Mode.KEEP_END;
            int[] prompt = tokens(1 + random.nextInt(mode == Mode.KEEP_START ? max - 1 : 12), random);
            var pair = new Example.Preference(
                    prompt, tokens(1 + random.nextInt(12), random), tokens(1 + random.nextInt(12), random), 0.5);
            Example.Preference cut = new Truncation(max, mode, 0, 0).of(pair);
            assertThat(marked(cut.prompt(), cut.chosen()))
                    .isEqualTo(slice(marked(pair.prompt(), pair.chosen()), max, mode));
            assertThat(marked(cut.rejectedPrompt(), cut.rejected()))
                    .isEqualTo(slice(marked(pair.prompt(), pair.rejected()), max, mode));
            assertThat(cut.weight()).isEqualTo(0.5);
            // One prompt is one object, by which it is computed once.
            assertThat(cut.prompt() == cut.rejectedPrompt())
                    .isEqualTo(java.util.Arrays.equals(cut.prompt(), cut.rejectedPrompt()));
            different += cut.prompt() == cut.rejectedPrompt() ? 0 : 1;
        }
        assertThat(different).isBetween(20, 400);
    }

    @Test
    void documentsAreCutWithTheirMarks() {
        Random random = new Random(2);
        int cuts = 0;
        for (int i = 0; i < 500; i++) {
            int max = 2 + random.nextInt(10);
            Mode mode = random.nextBoolean() ? Mode.KEEP_START : Mode.KEEP_END;
            int[] tokens = tokens(2 + random.nextInt(14), random);
            int from = 1 + random.nextInt(tokens.length - 1);
            BitSet marks = random.nextBoolean() ? null : new BitSet();
            for (int at = from; marks != null && at < tokens.length; at++) {
                marks.set(at, at == from || random.nextInt(3) == 0);
            }
            var document = new Example.Document(tokens, from, marks, 2);
            List<Marked> expected = slice(marked(document), max, mode);
            var truncation = new Truncation(max, mode, 0, 0);
            if (expected.stream().noneMatch(Marked::learnt)) {
                assertThatThrownBy(() -> truncation.of(document)).hasMessageContaining("nothing to learn");
                continue;
            }
            Example.Document cut = truncation.of(document);
            assertThat(marked(cut)).isEqualTo(expected);
            assertThat(cut.scored())
                    .isEqualTo((int) expected.stream().filter(Marked::learnt).count());
            assertThat(cut.weight()).isEqualTo(2);
            cuts += cut == document ? 0 : 1;
        }
        assertThat(cuts).isGreaterThan(150);
    }

    /** As TRL's earlier max_prompt_length and max_completion_length: the end of the prompt, the start of the completion. */
    @Test
    void promptAndCompletionHaveLimitsOfTheirOwn() {
        var pair = new Example.Preference(new int[] {1, 2, 3}, new int[] {4, 5, 6}, new int[] {7}, 1);
        Example.Preference cut = new Truncation(0, Mode.KEEP_START, 2, 2).of(pair);
        assertThat(cut.prompt()).containsExactly(2, 3);
        assertThat(cut.chosen()).containsExactly(4, 5);
        assertThat(cut.rejected()).containsExactly(7);
        Example.Preference both = new Truncation(3, Mode.KEEP_END, 2, 2).of(pair);
        assertThat(both.prompt()).containsExactly(3);
        assertThat(both.rejectedPrompt()).containsExactly(2, 3);
    }

    @Test
    void whatCannotBeCutIsAnError() {
        var pair = new Example.Preference(new int[] {1, 2, 3}, new int[] {4, 5}, new int[] {6}, 1);
        assertThatThrownBy(() -> new Truncation(4, Mode.ERROR, 0, 0).of(pair))
                .isInstanceOfSatisfying(
                        CalmException.class,
                        e -> assertThat(e.message(Setting::flag))
                                .isEqualTo(
                                        "5 tokens: longer than --max-length 4; shorten it, or choose another --truncation-mode"));
        assertThat(new Truncation(5, Mode.ERROR, 0, 0).of(pair))
                .usingRecursiveComparison()
                .isEqualTo(pair);
        assertThatThrownBy(() -> new Truncation(3, Mode.KEEP_START, 0, 0).of(pair))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("nothing to learn is left");
    }

    private static List<Marked> slice(List<Marked> all, int max, Mode mode) {
        int from = mode == Mode.KEEP_END ? Math.max(0, all.size() - max) : 0;
        List<Marked> part = new ArrayList<>(all.subList(from, Math.min(all.size(), from + max)));
        // Nothing predicts the first token.
        part.set(0, new Marked(part.getFirst().token, false));
        return part;
    }

    private static List<Marked> marked(int[] prompt, int[] completion) {
        List<Marked> all = new ArrayList<>();
        IntStream.of(prompt).forEach(token -> all.add(new Marked(token, false)));
        IntStream.of(completion).forEach(token -> all.add(new Marked(token, true)));
        return all;
    }

    private static List<Marked> marked(Example.Document document) {
        return IntStream.range(0, document.tokens().length)
                .mapToObj(i -> new Marked(
                        document.tokens()[i],
                        i >= document.from()
                                && (document.learnt() == null
                                        || document.learnt().get(i))))
                .toList();
    }

    private static int[] tokens(int count, Random random) {
        return random.ints(count, 0, 100).toArray();
    }
}
