package org.calm4j.engine.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.api.Test;

final class GeneratorTest {
    private static final List<int[]> PROMPTS = List.of(new int[] {3, 1, 4}, new int[] {15}, new int[] {9, 2, 6, 5, 3, 5});
    private final CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);

    /** What decoding with the cache says of its own tokens is what one pass over the whole sequence says. */
    @Test
    void logProbabilitiesAreThoseOfAFullPass() {
        List<List<Completion>> all = generate(PROMPTS, Sampling.random(9, 1.3, 4, 11));
        List<Scorer.Item> items = IntStream.range(0, PROMPTS.size())
                .mapToObj(i -> new Scorer.Item(PROMPTS.get(i), all.get(i).stream().map(Completion::tokens).toList())).toList();
        List<List<double[]>> scores = new Scorer(model).score(items, done -> { });
        for (int p = 0; p < PROMPTS.size(); p++) {
            for (int k = 0; k < 4; k++) {
                assertThat(all.get(p).get(k).logProbs()).containsExactly(scores.get(p).get(k), within(1e-10));
            }
        }
    }

    @Test
    void greedyTakesTheMostProbableToken() {
        int[] tokens = generate(PROMPTS, Sampling.greedy(6)).get(0).getFirst().tokens();
        int[] sequence = PROMPTS.get(0);
        for (int token : tokens) {
            int[] prompt = sequence;
            List<int[]> candidates = IntStream.range(0, 23).mapToObj(t -> new int[] {t}).toList();
            List<double[]> scores = new Scorer(model).score(List.of(new Scorer.Item(prompt, candidates)), done -> { }).getFirst();
            int best = IntStream.range(0, 23).reduce((a, b) -> scores.get(b)[0] > scores.get(a)[0] ? b : a).orElseThrow();
            assertThat(token).isEqualTo(best);
            sequence = IntStream.concat(IntStream.of(sequence), IntStream.of(token)).toArray();
        }
    }

    /** More samples and other prompts behind it do not change a completion. */
    @Test
    void resultDoesNotDependOnTheBatch() {
        List<List<Completion>> few = generate(PROMPTS.subList(0, 1), Sampling.random(9, 1, 2, 11));
        List<List<Completion>> many = generate(PROMPTS, Sampling.random(9, 1, 6, 11));
        assertThat(many.getFirst().get(0).tokens()).isEqualTo(few.getFirst().get(0).tokens());
        assertThat(many.getFirst().get(1).tokens()).isEqualTo(few.getFirst().get(1).tokens());
        assertThat(many.getFirst().get(0).tokens()).isNotEqualTo(many.getFirst().get(1).tokens());
    }

    /** What a run that was stopped still has to do, it does as if it had never been stopped. */
    @Test
    void partsAreThoseOfTheWhole() {
        List<List<Completion>> whole = generate(PROMPTS, Sampling.random(9, 1, 3, 11));
        List<List<Completion>> rest = new Generator(model).generate(PROMPTS.subList(1, PROMPTS.size()), 1, Sampling.random(9, 1, 3, 11), done -> { });
        for (int p = 1; p < PROMPTS.size(); p++) {
            for (int k = 0; k < 3; k++) {
                assertThat(rest.get(p - 1).get(k).tokens()).isEqualTo(whole.get(p).get(k).tokens());
                assertThat(rest.get(p - 1).get(k).logProbs()).containsExactly(whole.get(p).get(k).logProbs(), within(1e-12));
            }
        }
    }

    @Test
    void endOfSequenceEndsUnlessIgnored() {
        List<Completion> stopped = generate(PROMPTS, Sampling.random(20, 2, 30, 1)).stream().flatMap(List::stream).toList();
        assertThat(stopped).anyMatch(c -> c.finishReason().equals("stop")).anyMatch(c -> c.finishReason().equals("length"));
        for (Completion completion : stopped) {
            boolean ended = completion.tokens()[completion.tokens().length - 1] == 0;
            assertThat(completion.finishReason()).isEqualTo(ended ? "stop" : "length");
            assertThat(IntStream.of(completion.tokens()).limit(completion.tokens().length - 1)).doesNotContain(0);
        }
        assertThat(generate(PROMPTS, new Sampling(20, 2, 0, 1, 0, 30, true, 1)).stream().flatMap(List::stream))
                .allMatch(c -> c.tokens().length == 20);
    }

    @Test
    void tooLongIsBadInput() {
        assertThatThrownBy(() -> generate(PROMPTS, Sampling.greedy(59))).isInstanceOf(CalmException.class).hasMessageContaining("64");
    }

    private List<List<Completion>> generate(List<int[]> prompts, Sampling sampling) {
        return new Generator(model).generate(prompts, sampling, done -> { });
    }
}
