package org.calm4j.engine.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.model.CachePages;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.KvCache;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.DeviceMemory;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.text.BpeTrainer;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.Test;

final class GeneratorTest {
    private static final List<int[]> PROMPTS =
            List.of(new int[] {3, 1, 4}, new int[] {15}, new int[] {9, 2, 6, 5, 3, 5});
    private final CausalLm model = TinyModel.random(new ScalarBackend(DType.F64), true);

    /** What decoding with the cache says of its own tokens is what one pass over the whole sequence says. */
    @Test
    void logProbabilitiesAreThoseOfAFullPass() {
        List<List<Completion>> all = generate(PROMPTS, Sampling.random(9, 1.3, 4, 11));
        List<Scorer.Item> items = IntStream.range(0, PROMPTS.size())
                .mapToObj(i -> new Scorer.Item(
                        PROMPTS.get(i),
                        all.get(i).stream().map(Completion::tokens).toList()))
                .toList();
        List<List<double[]>> scores = new Scorer(model).score(items, done -> {});
        for (int p = 0; p < PROMPTS.size(); p++) {
            for (int k = 0; k < 4; k++) {
                assertThat(all.get(p).get(k).logProbs())
                        .containsExactly(scores.get(p).get(k), within(1e-10));
            }
        }
    }

    @Test
    void greedyTakesTheMostProbableToken() {
        int[] tokens = generate(PROMPTS, Sampling.greedy(6)).get(0).getFirst().tokens();
        int[] sequence = PROMPTS.get(0);
        for (int token : tokens) {
            int[] prompt = sequence;
            List<int[]> candidates =
                    IntStream.range(0, 23).mapToObj(t -> new int[] {t}).toList();
            List<double[]> scores = new Scorer(model)
                    .score(List.of(new Scorer.Item(prompt, candidates)), done -> {})
                    .getFirst();
            int best = IntStream.range(0, 23)
                    .reduce((a, b) -> scores.get(b)[0] > scores.get(a)[0] ? b : a)
                    .orElseThrow();
            assertThat(token).isEqualTo(best);
            sequence = IntStream.concat(IntStream.of(sequence), IntStream.of(token))
                    .toArray();
        }
    }

    /** More samples and other prompts behind it do not change a completion. */
    @Test
    void resultDoesNotDependOnTheBatch() {
        List<List<Completion>> few = generate(PROMPTS.subList(0, 1), Sampling.random(9, 1, 2, 11));
        List<List<Completion>> many = generate(PROMPTS, Sampling.random(9, 1, 6, 11));
        assertThat(many.getFirst().get(0).tokens())
                .isEqualTo(few.getFirst().get(0).tokens());
        assertThat(many.getFirst().get(1).tokens())
                .isEqualTo(few.getFirst().get(1).tokens());
        assertThat(many.getFirst().get(0).tokens())
                .isNotEqualTo(many.getFirst().get(1).tokens());
    }

    /** What a run that was stopped still has to do, it does as if it had never been stopped. */
    @Test
    void partsAreThoseOfTheWhole() {
        List<List<Completion>> whole = generate(PROMPTS, Sampling.random(9, 1, 3, 11));
        List<List<Completion>> rest = new Generator(model)
                .generate(PROMPTS.subList(1, PROMPTS.size()), 1, Sampling.random(9, 1, 3, 11), done -> {});
        for (int p = 1; p < PROMPTS.size(); p++) {
            for (int k = 0; k < 3; k++) {
                assertThat(rest.get(p - 1).get(k).tokens())
                        .isEqualTo(whole.get(p).get(k).tokens());
                assertThat(rest.get(p - 1).get(k).logProbs())
                        .containsExactly(whole.get(p).get(k).logProbs(), within(1e-12));
            }
        }
    }

    @Test
    void endOfSequenceEndsUnlessIgnored() {
        List<Completion> stopped = generate(PROMPTS, Sampling.random(20, 2, 30, 1)).stream()
                .flatMap(List::stream)
                .toList();
        assertThat(stopped)
                .anyMatch(c -> c.finishReason() == FinishReason.EOS)
                .anyMatch(c -> c.finishReason() == FinishReason.LENGTH);
        for (Completion completion : stopped) {
            boolean ended = completion.tokens()[completion.tokens().length - 1] == 0;
            assertThat(completion.finishReason()).isEqualTo(ended ? FinishReason.EOS : FinishReason.LENGTH);
            assertThat(IntStream.of(completion.tokens()).limit(completion.tokens().length - 1))
                    .doesNotContain(0);
        }
        assertThat(generate(PROMPTS, new Sampling(20, 2, 0, 1, 0, 30, true, 1)).stream()
                        .flatMap(List::stream))
                .allMatch(c -> c.tokens().length == 20);
    }

    /** However many sequences are that are decoded together, also when a prompt's samples begin one after the other. */
    @Test
    void anyBatchSizeGivesTheSame() {
        List<List<Completion>> together = generate(PROMPTS, Sampling.random(9, 1.2, 5, 3));
        for (int most : new int[] {1, 2, 3, 7}) {
            for (long bytes : new long[] {1, 40_000}) {
                List<List<Completion>> waves = new Generator(model, null, most, bytes)
                        .generate(PROMPTS, Sampling.random(9, 1.2, 5, 3), done -> {});
                for (int p = 0; p < PROMPTS.size(); p++) {
                    assertThat(waves.get(p)).hasSize(5);
                    for (int k = 0; k < 5; k++) {
                        assertThat(waves.get(p).get(k).tokens())
                                .isEqualTo(together.get(p).get(k).tokens());
                        assertThat(waves.get(p).get(k).logProbs())
                                .isEqualTo(together.get(p).get(k).logProbs());
                    }
                }
            }
        }
    }

    /** The machine's memory is not asked; a device's is taken but for a part, in GiB. */
    @Test
    void theCacheTakesMostOfWhatADeviceHasLeft() {
        assertThat(Generator.cacheBytes(null)).isEqualTo(1L << 30);
        for (double[] of : new double[][] {{120, 96}, {10, 8}, {4, 3}, {1.5, 0.75}, {0, 0}}) {
            assertThat(Generator.cacheBytes(new DeviceMemory((long) (of[0] * (1L << 30)), 139L << 30)))
                    .isCloseTo((long) (of[1] * (1L << 30)), within(4L));
        }
    }

    /** A device with little memory decodes fewer sequences together, one with padded steps computes rows of no sequence: the results stay. */
    @Test
    void padding() {
        List<List<Completion>> right = generate(PROMPTS, Sampling.random(9, 1.2, 5, 3));
        for (long free : new long[] {1, 1 << 30}) {
            List<Integer> rows = new ArrayList<>();
            Backend device = (Backend) Proxy.newProxyInstance(
                    Backend.class.getClassLoader(),
                    new Class<?>[] {Backend.class},
                    (proxy, method, given) -> switch (method.getName()) {
                        case "memory" -> new DeviceMemory(free, 1L << 36);
                        case "decodingRows" -> ((int) given[0] + 3) / 4 * 4;
                        case "sample" -> {
                            rows.add(Math.toIntExact(((Tensor) given[1]).dim(0)));
                            yield method.invoke(model.backend(), given);
                        }
                        default -> method.invoke(model.backend(), given);
                    });
            List<List<Completion>> given = new Generator(TinyModel.random(device, true))
                    .generate(PROMPTS, Sampling.random(9, 1.2, 5, 3), done -> {});
            // Prompts are not padded.
            assertThat(rows)
                    .as("steps")
                    .filteredOn(n -> n > PROMPTS.size())
                    .isNotEmpty()
                    .allMatch(n -> n % 4 == 0);
            assertThat(rows.stream().mapToInt(n -> n).max().orElse(0) == 16).isEqualTo(free > 1);
            for (int p = 0; p < PROMPTS.size(); p++) {
                for (int k = 0; k < 5; k++) {
                    assertThat(given.get(p).get(k).tokens())
                            .isEqualTo(right.get(p).get(k).tokens());
                    assertThat(given.get(p).get(k).logProbs())
                            .isEqualTo(right.get(p).get(k).logProbs());
                }
            }
        }
    }

    /** The most sequences of a step of decoding, and all the tokens that such steps were given. */
    private static final class Steps {
        private int most;
        private int tokens;

        private Backend counted(Backend backend) {
            return (Backend) Proxy.newProxyInstance(
                    Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, given) -> {
                        if (method.getName().equals("repeat")) {
                            Segments segments = (Segments) given[1];
                            int queries = IntStream.range(0, segments.count())
                                    .map(segments::queryLength)
                                    .sum();
                            boolean prompts = IntStream.range(0, segments.count())
                                    .anyMatch(s -> segments.keyLength(s) == segments.queryLength(s)
                                            && segments.queryLength(s) == PROMPTS.getLast().length);
                            most = Math.max(most, prompts ? 0 : queries);
                            tokens += prompts ? 0 : queries;
                        }
                        return method.invoke(backend, given);
                    });
        }
    }

    /**
     * Where most end early, memory for three, or for one, of the longest sequences serves more at a time. When they do not end as early as
     * expected, some wait and are computed again, which does not change them.
     */
    @Test
    void sequencesHaveAsMuchMemoryAsTheyAreLong() {
        ModelConfig config = Llama.config(23, 12, 18, 1, 2, 1, 256, 0);
        Sampling sampling = Sampling.random(100, 2, 100, 5);
        List<int[]> prompts = List.of(PROMPTS.getLast());
        int longest = CachePages.pages(100);
        List<List<Completion>> right = null;
        int[] most = new int[3];
        int[] again = new int[3];
        for (int memory = 0; memory < 3; memory++) {
            Steps steps = new Steps();
            Backend backend = steps.counted(new ScalarBackend(DType.F64));
            int pages = 1 + new int[] {1000, 3 * longest, longest}[memory];
            CausalLm lm = new CausalLm(config, Parameters.random(backend, config, 3), null);
            List<List<Completion>> given = new Generator(
                            lm, null, 64, pages * CachePages.PAGE * KvCache.bytesPerRow(config, backend))
                    .generate(prompts, sampling, done -> {});
            right = right == null ? given : right;
            int tokens = 0;
            for (int k = 0; k < sampling.count(); k++) {
                assertThat(given.getFirst().get(k).tokens())
                        .isEqualTo(right.getFirst().get(k).tokens());
                assertThat(given.getFirst().get(k).logProbs())
                        .isEqualTo(right.getFirst().get(k).logProbs());
                // The last token is not computed any more.
                tokens += given.getFirst().get(k).tokens().length - 1;
            }
            most[memory] = steps.most;
            again[memory] = steps.tokens - tokens;
        }
        assertThat(most[0]).isGreaterThan(60);
        assertThat(again[0]).isZero();
        assertThat(most[1]).isGreaterThan(6);
        assertThat(most[2]).isGreaterThan(1);
        assertThat(again[2]).as("tokens that were computed again").isPositive();
    }

    /** A word a token, so that texts are easy to read. */
    private static Tokenizer words() {
        return Tokenizer.wordLevel(IntStream.range(2, 23).mapToObj(i -> "w" + i).toList(), "<unk>", "<eos>");
    }

    @Test
    void aStopStringEndsTheTextBeforeIt() {
        Generator generator = new Generator(model, words(), 64, 1 << 20);
        Sampling free = new Sampling(12, 1, 0, 1, 0, 8, true, 5);
        List<Completion> all = generator.generate(PROMPTS, free, done -> {}).getFirst();
        String stop = all.getFirst().text().split(" ")[3] + " "
                + all.getFirst().text().split(" ")[4];
        Sampling stopping = new Sampling(12, TokenFilter.all(1), List.of("never", stop), 8, true, 5);
        List<Completion> stopped =
                generator.generate(PROMPTS, stopping, done -> {}).getFirst();
        assertThat(stopped.getFirst().finishReason()).isEqualTo(FinishReason.STOP);
        for (int k = 0; k < 8; k++) {
            String text = all.get(k).text();
            int at = text.indexOf(stop);
            assertThat(stopped.get(k).text()).isEqualTo(at < 0 ? text : text.substring(0, at));
            assertThat(stopped.get(k).tokens())
                    .isEqualTo(
                            at < 0
                                    ? all.get(k).tokens()
                                    : Arrays.copyOf(
                                            all.get(k).tokens(),
                                            text.substring(0, at + stop.length())
                                                    .split(" ")
                                                    .length));
        }
        assertThatThrownBy(() -> new Generator(model).generate(PROMPTS, stopping, done -> {}))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("tokenizer");
    }

    /** What it does to a row of logits: SamplerTest. */
    @Test
    void theRepetitionPenaltyChangesTheText() {
        Sampling sampling = new Sampling(10, new TokenFilter(0, 0, 1, 0, 1.7), List.of(), 1, true, 0);
        Completion completion = generate(PROMPTS, sampling).getFirst().getFirst();
        int[] plain = generate(PROMPTS, new Sampling(10, 0, 0, 1, 0, 1, true, 0))
                .getFirst()
                .getFirst()
                .tokens();
        assertThat(completion.tokens()).isNotEqualTo(plain);
    }

    @Test
    void aConversationGivesWhatAGeneratorGives() {
        ModelFolder folder = new ModelFolder(Path.of("none"), model, words(), null);
        StringBuilder heard = new StringBuilder();
        try (ChatSession conversation = new ChatSession(folder, 40)) {
            int[] text = PROMPTS.get(2);
            for (int turn = 0; turn < 3; turn++) {
                Sampling sampling = Sampling.random(5, 1, 1, 9);
                heard.setLength(0);
                Completion answer = conversation.answer(text, sampling, 0, piece -> heard.append(piece) != null);
                Completion expected = new Generator(model, words(), 4, 1 << 20)
                        .generate(List.of(text), sampling, done -> {})
                        .getFirst()
                        .getFirst();
                assertThat(answer.tokens()).isEqualTo(expected.tokens());
                assertThat(answer.logProbs()).containsExactly(expected.logProbs(), within(1e-10));
                assertThat(heard).hasToString(expected.text());
                // Now and then the text takes another way than the answer did.
                IntStream answered = IntStream.of(answer.tokens()).limit(turn == 1 ? 2 : answer.tokens().length);
                text = IntStream.concat(IntStream.concat(IntStream.of(text), answered), IntStream.of(7, 8))
                        .toArray();
            }
            int[] tooLong = new int[40];
            assertThatThrownBy(() -> conversation.answer(tooLong, Sampling.greedy(1), 0, piece -> true))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("limited to 40");
            Sampling nine = new Sampling(9, 1, 0, 1, 0, 1, true, 1);
            Completion full =
                    conversation.answer(IntStream.range(0, 38).map(i -> 3).toArray(), nine, 0, piece -> true);
            assertThat(full.finishReason()).isEqualTo(FinishReason.LENGTH);
            assertThat(full.tokens()).hasSize(3);
            Completion cut = conversation.answer(new int[] {3}, nine, 0, piece -> false);
            assertThat(cut.finishReason()).isEqualTo(FinishReason.STOP);
            assertThat(cut.tokens()).hasSize(1);
        }
    }

    @Test
    void textThatMayBecomeAStopStringWaits() {
        GrowingText text = new GrowingText(words(), List.of("w5 w6", "w9"));
        assertThat(text.add(3)).isFalse();
        assertThat(text.certain()).isEqualTo("w3");
        assertThat(text.add(5)).isFalse();
        assertThat(text.certain()).isEqualTo(" ");
        assertThat(text.add(7)).isFalse();
        assertThat(text.certain()).isEqualTo("w5 w7");
        assertThat(text.add(5)).isFalse();
        assertThat(text.add(6)).isTrue();
        assertThat(text.certain()).isEqualTo(" ");
        assertThat(text.finish()).isEqualTo("w3 w5 w7 ");
    }

    /** As transformers' stop_strings do: a special token's text counts, alone and together with what stands beside it; it stays unseen. */
    @Test
    void stopStringsMayBeSpecialTokens() throws IOException {
        Tokenizer tokenizer = BpeTrainer.train(List.of("ab"), 258, "<end>");
        int end = tokenizer.eosId();
        int[] a = tokenizer.encode("a");
        int[] b = tokenizer.encode("b");
        for (String stop : List.of("<end>", "a<end>", "<end>b", "end", "a<end>b")) {
            GrowingText text = new GrowingText(tokenizer, List.of(stop));
            assertThat(text.add(b[0])).isFalse();
            assertThat(text.add(a[0])).isFalse();
            assertThat(text.certain()).isEqualTo(stop.startsWith("a") ? "b" : "ba");
            boolean after = stop.endsWith("b");
            assertThat(text.add(end)).as(stop).isEqualTo(!after);
            assertThat(!after || text.add(b[0])).as(stop).isTrue();
            assertThat(text.finish()).as(stop).isEqualTo(stop.startsWith("a") ? "b" : "ba");
        }
        GrowingText text = new GrowingText(tokenizer, List.of("c"));
        assertThat(text.add(a[0]) || text.add(end) || text.add(b[0])).isFalse();
        assertThat(text.certain() + text.finish()).isEqualTo("abab");
    }

    @Test
    void brokenWeightsAreNamed() {
        CausalLm broken = TinyModel.random(new ScalarBackend(), true);
        Tensor weight =
                broken.parameters().layer(1).linears().get(Projection.UP).weight();
        weight.set(3, Double.POSITIVE_INFINITY);
        assertThatThrownBy(() -> new Generator(broken).generate(PROMPTS, Sampling.greedy(2), done -> {}))
                .isInstanceOf(CalmException.class)
                .hasMessage("tensor " + weight.name() + ": element 3 is Infinity; the model's weights are broken")
                .extracting(e -> ((CalmException) e).kind())
                .isEqualTo(CalmException.Kind.BAD_INPUT);
        assertThatThrownBy(() -> new Scorer(broken)
                        .score(List.of(new Scorer.Item(new int[] {1, 2}, List.of(new int[] {3}))), done -> {}))
                .hasMessageContaining(weight.name());
        weight.set(3, 0);
        broken.parameters().embedding().set(5, Double.NaN);
        assertThatThrownBy(() -> new Scorer(broken)
                        .score(List.of(new Scorer.Item(new int[] {1, 2}, List.of(new int[] {3}))), done -> {}))
                .hasMessageContaining("embed");
    }

    @Test
    void tooLongIsBadInput() {
        assertThatThrownBy(() -> generate(PROMPTS, Sampling.greedy(59)))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("64");
    }

    private List<List<Completion>> generate(List<int[]> prompts, Sampling sampling) {
        return new Generator(model).generate(prompts, sampling, done -> {});
    }
}
