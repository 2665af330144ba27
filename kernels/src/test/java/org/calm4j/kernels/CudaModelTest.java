package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.data.Percentage.withPercentage;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import it.unimi.dsi.fastutil.ints.IntSets;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CachePages;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.DecodeBatch;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.KvCache;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Packing;
import org.calm4j.engine.train.References;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.StepLog;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole models on the GPU, or on its stand-in, against the scalar backend: losses, gradients, steps of training, generation. */
@Tag("slow")
final class CudaModelTest {
    /** A forward and backward pass of two layers in F32: some hundred roundings of 6e-8, as a share of a tensor's largest element. */
    private static final double TOLERANCE = 2e-5;

    private static final List<int[]> PROMPTS =
            List.of(new int[] {3, 1, 4}, new int[] {15}, new int[] {9, 2, 6, 5, 3, 5});
    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 0.5),
            new Example.Preference(new int[] {1, 2, 3}, new int[] {11}, new int[] {12}, 2));

    @BeforeAll
    static void load() {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
    }

    @AfterEach
    void nothingIsLeftBehind() {
        assertThat(StandIn.isPresent() ? StandIn.live() : "").isEmpty();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void logProbabilitiesAndGradients(String kind) {
        List<double[]> right = gradients(new ScalarBackend(), kind);
        List<double[]> given = gradients(new CudaBackend(0, Precision.F32), kind);
        assertClose(given, right);
    }

    static List<String> kinds() {
        return TinyModel.KINDS;
    }

    private static List<double[]> gradients(Backend backend, String kind) {
        List<double[]> results = new ArrayList<>();
        try (backend) {
            CausalLm model = TinyModel.random(backend, kind);
            PackedBatch batch = TinyModel.batch();
            try (Parameters gradient = new Parameters(backend, model.config());
                    Activations activations = TinyModel.activations(model, Activations.Purpose.CHECKPOINTING)) {
                model.forward(activations, batch, null);
                double[] logProbs = new double[batch.scored()];
                activations.readLogProbs(logProbs);
                results.add(logProbs);
                double[] coefficients = new double[batch.scored()];
                for (int i = 0; i < coefficients.length; i++) {
                    coefficients[i] = Math.cos(1.7 * i + 0.3);
                }
                model.backward(new Gradients(gradient, null), activations, batch, coefficients, null, false);
                results.addAll(values(backend, gradient.slab().tensors()));
            } finally {
                model.parameters().close();
            }
        }
        return results;
    }

    @ParameterizedTest
    @ValueSource(doubles = {-1, 0, 0.3})
    void stepsOfDpo(double loraDropout) {
        Steps right = dpo(new ScalarBackend(), loraDropout);
        Steps given = dpo(new CudaBackend(0, Precision.F32), loraDropout);
        Steps again = dpo(new CudaBackend(0, Precision.F32), loraDropout);
        for (int i = 0; i < right.logs.size(); i++) {
            assertThat(given.logs.get(i).loss()).isCloseTo(right.logs.get(i).loss(), within(TOLERANCE));
            assertThat(given.logs.get(i).gradNorm()).isCloseTo(right.logs.get(i).gradNorm(), withPercentage(0.05));
            assertThat(again.logs.get(i).loss()).isEqualTo(given.logs.get(i).loss());
            assertThat(again.logs.get(i).gradNorm()).isEqualTo(given.logs.get(i).gradNorm());
        }
        for (int i = 0; i < given.weights.size(); i++) {
            assertThat(again.weights.get(i)).isEqualTo(given.weights.get(i));
        }
    }

    /** DoRA, with dropout and without, and modules that are trained whole. */
    @ParameterizedTest
    @CsvSource({"llama,0", "gpt2,0.3"})
    void stepsOfDora(String kind, double dropout) {
        Steps right = dora(new ScalarBackend(), kind, dropout);
        Steps given = dora(new CudaBackend(0, Precision.F32), kind, dropout);
        for (int i = 0; i < right.logs.size(); i++) {
            assertThat(given.logs.get(i).loss()).isCloseTo(right.logs.get(i).loss(), within(TOLERANCE));
            assertThat(given.logs.get(i).gradNorm()).isCloseTo(right.logs.get(i).gradNorm(), withPercentage(0.05));
        }
    }

    private static Steps dora(Backend backend, String kind, double dropout) {
        LoraSettings settings = new LoraSettings(
                3,
                6,
                dropout,
                false,
                TinyModel.config(kind).layout().projections(),
                null,
                List.of(),
                Map.of(),
                Map.of(),
                true,
                LoraSettings.Start.TRUE,
                List.of("lm_head"));
        try (backend) {
            return dpo(TinyModel.withLora(backend, kind, settings));
        }
    }

    /** Products and attention of operands with 8 bits; weights are F32, and products read copies of them that AdamW keeps. */
    @ParameterizedTest
    @ValueSource(doubles = {-1, 0})
    void stepsOfDpoInBf16(double loraDropout) {
        Steps right = dpo(new ScalarBackend(), loraDropout);
        Steps given = dpo(new CudaBackend(0, Precision.BF16), loraDropout);
        Steps again = dpo(new CudaBackend(0, Precision.BF16), loraDropout);
        for (int i = 0; i < right.logs.size(); i++) {
            assertThat(given.logs.get(i).loss()).isCloseTo(right.logs.get(i).loss(), within(0.02));
            assertThat(given.logs.get(i).gradNorm()).isCloseTo(right.logs.get(i).gradNorm(), withPercentage(5));
            assertThat(again.logs.get(i))
                    .usingRecursiveComparison()
                    .ignoringFields("tokensPerSecond")
                    .isEqualTo(given.logs.get(i));
        }
        for (int i = 0; i < given.weights.size(); i++) {
            assertThat(again.weights.get(i)).isEqualTo(given.weights.get(i));
        }
    }

    /**
     * Passes over batches of the same shape are recorded and started as a whole, with the bits that they have apart; memory that is given back
     * in between is noticed. Full training with AdamW's rounded copies, an adapter, layers that are computed anew.
     */
    @ParameterizedTest
    @CsvSource({"F32,-1,false", "BF16,-1,true", "BF16,0,false", "F32,0.3,false"})
    void recordedPasses(Precision precision, double loraDropout, boolean checkpointing) {
        recordedPasses(PAIRS, precision, loraDropout, checkpointing);
    }

    /** Texts of one token each: attention then has no tiles in the forward pass, and has them in the backward pass. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void recordedPassesOverSingleTokens(boolean checkpointing) {
        recordedPasses(
                List.of(
                        new Example.Preference(new int[] {5}, new int[] {7}, new int[] {9}, 1),
                        new Example.Preference(new int[] {3}, new int[] {4}, new int[] {2}, 0.5)),
                Precision.F32,
                0,
                checkpointing);
    }

    private static void recordedPasses(
            List<Example.Preference> pairs, Precision precision, double loraDropout, boolean checkpointing) {
        assumeNoCheck();
        int steps = 9;
        Steps apart = steps(apart(new CudaBackend(0, precision)), pairs, loraDropout, checkpointing, steps);
        long before = graphLaunches();
        Steps recorded = steps(new CudaBackend(0, precision), pairs, loraDropout, checkpointing, steps);
        long launches = graphLaunches() - before;
        for (int i = 0; i < steps; i++) {
            assertThat(recorded.logs.get(i))
                    .usingRecursiveComparison()
                    .ignoringFields("tokensPerSecond")
                    .isEqualTo(apart.logs.get(i));
        }
        for (int i = 0; i < apart.weights.size(); i++) {
            assertThat(recorded.weights.get(i)).isEqualTo(apart.weights.get(i));
        }
        if (!StandIn.isPresent()) {
            return;
        }
        // Forward and backward; two of each run apart at the beginning, and two more after memory was given back behind
        // the sixth step. The first
        // step, in which scratch memory grows, may count as none. Random numbers of dropout are no tensor.
        assertThat(launches)
                .isBetween(loraDropout > 0 ? 0L : 2L * (steps - 5), loraDropout > 0 ? 0L : 2L * (steps - 4));
    }

    /** The build of the stand-in that checks is slow, and what is recorded is what runs apart. */
    private static void assumeNoCheck() {
        assumeFalse(StandIn.isPresent() && StandIn.isCheck(), "the build that checks is slow");
    }

    /** The stand-in counts them; a card does not. */
    private static long graphLaunches() {
        return StandIn.isPresent() ? StandIn.count(StandIn.Counter.GRAPH_LAUNCHES) : 0;
    }

    /** The same device, whose launches are never recorded. */
    private static Backend apart(Backend backend) {
        return with(backend, "repeat", given -> {
            ((Runnable) given[2]).run();
            return null;
        });
    }

    /** The same device but for one of its methods. */
    private static Backend with(Backend backend, String name, Function<Object[], Object> other) {
        return (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(),
                new Class<?>[] {Backend.class},
                (proxy, method, given) ->
                        method.getName().equals(name) ? other.apply(given) : method.invoke(backend, given));
    }

    /** Pairs of one prompt compute it once: forward and backward over trees of many completions. */
    @ParameterizedTest
    @ValueSource(doubles = {-1, 0.3})
    void sharedPrompts(double loraDropout) {
        int[] prompt = {3, 1, 4, 1, 5};
        List<Example.Preference> pairs = List.of(
                new Example.Preference(prompt, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
                new Example.Preference(prompt.clone(), new int[] {4, 0}, new int[] {4, 9, 0}, 0.5),
                new Example.Preference(prompt.clone(), new int[] {11}, new int[] {12, 2, 6, 5}, 2));
        Packing shared = new Packing(0, true, false);
        StepLog right = steps(new ScalarBackend(), pairs, loraDropout, false, 1, shared)
                .logs
                .getFirst();
        StepLog apart = steps(new ScalarBackend(), pairs, loraDropout, false, 1, Packing.STANDARD)
                .logs
                .getFirst();
        StepLog given = steps(new CudaBackend(0, Precision.F32), pairs, loraDropout, false, 1, shared)
                .logs
                .getFirst();
        assertThat(given.loss()).isCloseTo(right.loss(), within(TOLERANCE));
        assertThat(given.gradNorm()).isCloseTo(right.gradNorm(), withPercentage(0.05));
        if (loraDropout < 0) {
            assertThat(given.gradNorm()).isCloseTo(apart.gradNorm(), withPercentage(0.05));
        }
    }

    private static Steps steps(
            Backend backend, List<Example.Preference> pairs, double loraDropout, boolean checkpointing, int steps) {
        return steps(backend, pairs, loraDropout, checkpointing, steps, Packing.STANDARD);
    }

    private static Steps steps(
            Backend backend,
            List<Example.Preference> pairs,
            double loraDropout,
            boolean checkpointing,
            int steps,
            Packing packing) {
        TrainSettings settings = new TrainSettings(
                        3,
                        0,
                        false,
                        new Schedule(Schedule.Kind.LINEAR, 3e-3, 0.1, 0, 30),
                        AdamW.DEFAULT,
                        0.1,
                        1,
                        new PreferenceLoss.DpoSigmoid(0.5, 0),
                        0.5,
                        0,
                        0,
                        checkpointing,
                        3)
                .packed(packing);
        List<StepLog> logs = new ArrayList<>();
        try (backend) {
            CausalLm model =
                    loraDropout < 0 ? TinyModel.random(backend, true) : TinyModel.withLora(backend, loraDropout);
            try (Parameters parameters = model.parameters();
                    Lora lora = model.lora();
                    Trainer trainer =
                            new Trainer(model, settings, pairs, Replay.NONE, References.of(model, pairs, null))) {
                for (int step = 0; step < steps; step++) {
                    logs.add(trainer.step(step));
                    if (step == 5) {
                        backend.allocate(100).close();
                    }
                }
                return new Steps(logs, values(backend, (lora == null ? parameters.slab() : lora.slab()).tensors()));
            }
        }
    }

    private record Steps(List<StepLog> logs, List<double[]> weights) {}

    /** @param loraDropout negative: all parameters are trained */
    private static Steps dpo(Backend backend, double loraDropout) {
        try (backend) {
            return dpo(loraDropout < 0 ? TinyModel.random(backend, true) : TinyModel.withLora(backend, loraDropout));
        }
    }

    private static Steps dpo(CausalLm model) {
        TrainSettings settings = new TrainSettings(
                3,
                0,
                true,
                new Schedule(Schedule.Kind.LINEAR, 3e-3, 0.1, 0, 30),
                AdamW.DEFAULT,
                0.1,
                1,
                new PreferenceLoss.DpoSigmoid(0.5, 0),
                0.5,
                0,
                0,
                false,
                3);
        List<StepLog> logs = new ArrayList<>();
        try (Parameters parameters = model.parameters();
                Lora lora = model.lora();
                Trainer trainer = new Trainer(model, settings, PAIRS, Replay.NONE, References.of(model, PAIRS, null))) {
            // The build of the stand-in that checks every access is slow.
            int steps = StandIn.isPresent() && StandIn.isCheck() ? 1 : 4;
            for (int step = 0; step < steps; step++) {
                logs.add(trainer.step(step));
            }
            return new Steps(logs, values(model.backend(), (lora == null ? parameters.slab() : lora.slab()).tensors()));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "mistral", "qwen3", "gpt2"})
    void greedyGeneration(String kind) {
        List<List<Completion>> right = generate(new ScalarBackend(), kind);
        List<List<Completion>> given = generate(new CudaBackend(0, Precision.F32), kind);
        for (int i = 0; i < right.size(); i++) {
            assertThat(given.get(i).getFirst().tokens())
                    .isEqualTo(right.get(i).getFirst().tokens());
            assertThat(given.get(i).getFirst().logProbs())
                    .containsExactly(right.get(i).getFirst().logProbs(), within(TOLERANCE));
        }
    }

    /** The same random numbers choose the same tokens; only two numbers a token leave the device. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "gpt2"})
    void sampledGeneration(String kind) {
        Sampling sampling = new Sampling(6, new TokenFilter(0.9, 12, 0.9, 0.02, 1.2), List.of(), 3, true, 11);
        List<List<Completion>> right = generate(new ScalarBackend(), kind, sampling);
        List<List<Completion>> given = generate(new CudaBackend(0, Precision.F32), kind, sampling);
        for (int i = 0; i < right.size(); i++) {
            for (int k = 0; k < 3; k++) {
                assertThat(given.get(i).get(k).tokens())
                        .isEqualTo(right.get(i).get(k).tokens());
                assertThat(given.get(i).get(k).logProbs())
                        .containsExactly(right.get(i).get(k).logProbs(), within(TOLERANCE));
            }
        }
    }

    /**
     * Steps of decoding are recorded, also anew when a sequence has ended and when a cache grows beyond what one block reads; they give what
     * the CPU gives.
     */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void recordedSteps(boolean ignoreEos) {
        assumeNoCheck();
        Sampling sampling = new Sampling(ignoreEos ? 140 : 50, 1, 0, 1, 0, 2, ignoreEos, 5);
        ModelConfig config = Llama.config(23, 12, 18, 1, 2, 1, 256, 0);
        List<List<Completion>> right = generate(new ScalarBackend(), config, sampling);
        List<List<Completion>> apart = generate(apart(new CudaBackend(0, Precision.F32)), config, sampling);
        long before = graphLaunches();
        List<List<Completion>> given = generate(new CudaBackend(0, Precision.F32), config, sampling);
        for (int i = 0; i < right.size(); i++) {
            for (int k = 0; k < 2; k++) {
                assertThat(given.get(i).get(k).tokens())
                        .isEqualTo(right.get(i).get(k).tokens());
                assertThat(given.get(i).get(k).logProbs())
                        .containsExactly(right.get(i).get(k).logProbs(), within(TOLERANCE));
                assertThat(given.get(i).get(k).logProbs())
                        .isEqualTo(apart.get(i).get(k).logProbs());
            }
        }
        if (StandIn.isPresent()) {
            assertThat(graphLaunches() - before).isGreaterThan(ignoreEos ? 130 : 5);
        }
    }

    /**
     * Where sequences end one after another, steps have few numbers of rows, so that most of them are recorded ones; the rows that are added
     * change nothing.
     */
    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void paddedSteps(Precision precision) {
        assumeNoCheck();
        assumeTrue(
                StandIn.isPresent(),
                "the stand-in counts launches, and its products do not depend on the number of rows");
        Sampling sampling = new Sampling(60, 1.5, 0, 1, 0, 12, false, 5);
        ModelConfig config = Llama.config(23, 12, 18, 1, 2, 1, 256, 0);
        List<List<List<Completion>>> all = new ArrayList<>();
        List<Long> launches = new ArrayList<>();
        for (boolean padded : new boolean[] {false, true}) {
            long before = graphLaunches();
            Backend backend = new CudaBackend(0, precision);
            all.add(generate(padded ? backend : with(backend, "decodingRows", given -> given[0]), config, sampling));
            launches.add(graphLaunches() - before);
        }
        assertThat(all.getLast()).usingRecursiveComparison().isEqualTo(all.getFirst());
        int steps = all.getFirst().stream()
                .flatMap(List::stream)
                .mapToInt(c -> c.tokens().length - 1)
                .max()
                .orElseThrow();
        assertThat(launches.getLast())
                .as("of %d steps, unpadded %d", steps, launches.getFirst())
                .isGreaterThan(steps * 3 / 4)
                .isGreaterThan(launches.getFirst() + steps / 5);
    }

    /** More shapes than are kept: only the one that was used longest ago is recorded anew. */
    @Test
    void theOldestRecordingGoes() {
        assumeTrue(StandIn.isPresent(), "the stand-in counts launches");
        Segments segments = new Segments();
        segments.add(0, 1, 0, 2, Segments.NONE);
        try (CudaBackend backend = new CudaBackend(0, Precision.F32);
                Slab slab = new Slab.Plan().add("x", DType.F32, 8).allocate(backend::allocate)) {
            Runnable work = () -> backend.zero(slab.get("x"));
            IntConsumer shape = key -> backend.repeat(key, segments, work);
            for (int key = 0; key < 16; key++) {
                IntStream.rangeClosed(1, 3).forEach(run -> backend.repeat(100, segments, work));
                for (int run = 0; run < 3; run++) {
                    shape.accept(key);
                }
            }
            long before = graphLaunches();
            shape.accept(100);
            shape.accept(15);
            shape.accept(1);
            assertThat(graphLaunches() - before).as("of those that are kept").isEqualTo(3);
            shape.accept(0);
            assertThat(graphLaunches() - before).as("the oldest").isEqualTo(3);
        }
    }

    private static List<List<Completion>> generate(Backend backend, ModelConfig config, Sampling sampling) {
        try (backend;
                Parameters parameters = Parameters.random(backend, config, 3)) {
            return new Generator(new CausalLm(config, parameters, null)).generate(PROMPTS, sampling, done -> {});
        }
    }

    /** Weights change under recorded steps, in memory that stays where it is, and so do rounded copies of them. */
    @Test
    void recordedStepsSeeNewWeights() {
        ModelConfig config = Llama.config(23, 12, 18, 1, 2, 1, 64, 0);
        try (Backend backend = new CudaBackend(0, Precision.BF16);
                Parameters first = Parameters.random(backend, config, 3);
                Parameters second = Parameters.random(backend, config, 4);
                Parameters trained = Parameters.random(backend, config, 3);
                KvCache cache = new KvCache(backend, config, 32);
                Activations activations = new Activations(
                        backend, config, Activations.Purpose.INFERENCE, new Activations.Capacity(1, 1, 32, 1, 0))) {
            backend.markTrained(trained.slab());
            CausalLm model = new CausalLm(config, trained, null);
            List<Double> before = logProbs(model, activations, cache);
            backend.copy(trained.slab().whole(DType.F32), second.slab().whole(DType.F32));
            List<Double> changed = logProbs(model, activations, cache);
            assertThat(changed)
                    .isEqualTo(logProbs(new CausalLm(config, second, null), activations, cache))
                    .isNotEqualTo(before);
            backend.copy(trained.slab().whole(DType.F32), first.slab().whole(DType.F32));
            assertThat(logProbs(model, activations, cache)).isEqualTo(before);
        }
    }

    /** Where a sequence's rows lie in several pieces, bits are the same, and recorded steps go on when a piece is added. */
    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void recordedStepsOverPieces(Precision precision) {
        assumeNoCheck();
        int page = CachePages.PAGE;
        ModelConfig config = Llama.config(23, 12, 18, 1, 2, 1, 256, 0);
        CachePages pages = new CachePages(8);
        pages.begin(2 * page).grow(1);
        CachePages.Rows pieces = pages.begin(8 * page);
        for (int more = 1; more <= 3; more++) {
            pieces.grow(more * page);
            pages.begin(page).grow(1);
        }
        assertThat(pieces.runs()).isEqualTo(3);
        CachePages.Rows together = new CachePages(3).begin(3 * page);
        together.grow(3 * page);
        try (Backend backend = new CudaBackend(0, precision);
                Parameters parameters = Parameters.random(backend, config, 3);
                KvCache cache = new KvCache(backend, config, 8 * page);
                Activations activations = new Activations(
                        backend,
                        config,
                        Activations.Purpose.INFERENCE,
                        new Activations.Capacity(1, 1, 3 * page, 1, 0))) {
            CausalLm model = new CausalLm(config, parameters, null);
            List<Double> right = logProbs(model, activations, cache, together, 3 * page);
            long before = graphLaunches();
            assertThat(logProbs(model, activations, cache, pieces, 3 * page)).isEqualTo(right);
            if (!StandIn.isPresent()) {
                return;
            }
            // All but the first step, over no other token, whose shape is one of its own, and two when the table of
            // segments moves as it grows.
            assertThat(graphLaunches() - before).isGreaterThanOrEqualTo(3 * page - 3);
        }
    }

    private static List<Double> logProbs(CausalLm model, Activations activations, KvCache cache) {
        CachePages.Rows rows = new CachePages(1).begin(cache.rows());
        rows.grow(cache.rows());
        return logProbs(model, activations, cache, rows, 8);
    }

    /** Of the tokens of a text of its own making, a step each. */
    private static List<Double> logProbs(
            CausalLm model, Activations activations, KvCache cache, CachePages.Rows rows, int most) {
        List<Double> logProbs = new ArrayList<>();
        DecodeBatch batch = new DecodeBatch();
        Draws draws = new Draws();
        int token = 5;
        for (int length = 1; length <= most; length++) {
            batch.clear();
            batch.token(token, rows, length, Segments.NONE);
            model.decode(activations, batch, cache);
            draws.clear();
            draws.add(0, 1, length, IntSets.EMPTY_SET);
            activations.sample(draws, new TokenFilter(0, 0, 1, 0, 1));
            token = draws.token(0);
            logProbs.add(draws.logProb(0));
        }
        return logProbs;
    }

    /**
     * Keys and values in BF16 take half the memory. What is decoded over them is as near to the right log-probabilities as a full pass with
     * rounded operands is.
     */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "mistral", "gpt2"})
    void cachesInBf16(String kind) {
        List<List<Completion>> all;
        try (CudaBackend cuda = new CudaBackend(0, Precision.BF16);
                Backend scalar = new ScalarBackend()) {
            CausalLm model = TinyModel.random(cuda, kind);
            assertThat(KvCache.bytesPerRow(model.config(), cuda))
                    .isEqualTo(KvCache.bytesPerRow(model.config(), scalar) / 2);
            all = new Generator(model).generate(PROMPTS, new Sampling(10, 1, 0, 1, 0, 3, true, 5), done -> {});
            model.parameters().close();
        }
        CausalLm right = TinyModel.random(new ScalarBackend(), kind);
        List<Scorer.Item> items = new ArrayList<>();
        for (int p = 0; p < PROMPTS.size(); p++) {
            items.add(new Scorer.Item(
                    PROMPTS.get(p), all.get(p).stream().map(Completion::tokens).toList()));
        }
        List<List<double[]>> scores = new Scorer(right).score(items, done -> {});
        for (int p = 0; p < PROMPTS.size(); p++) {
            for (int k = 0; k < 3; k++) {
                assertThat(all.get(p).get(k).logProbs())
                        .containsExactly(scores.get(p).get(k), within(0.1));
            }
        }
    }

    private static List<List<Completion>> generate(Backend backend, String kind) {
        return generate(backend, kind, Sampling.greedy(6));
    }

    private static List<List<Completion>> generate(Backend backend, String kind, Sampling sampling) {
        try (backend) {
            CausalLm model = TinyModel.random(backend, kind);
            List<List<Completion>> all = new Generator(model).generate(PROMPTS, sampling, done -> {});
            model.parameters().close();
            return all;
        }
    }

    /** Operands rounded to 8 bits: 2⁻⁹ each, a share of what two layers of sums make of it. */
    @ParameterizedTest
    @ValueSource(strings = {"TF32", "BF16"})
    void shorterOperands(Precision precision) {
        double[] right = gradients(new ScalarBackend(), "llama").getFirst();
        double[] given = gradients(new CudaBackend(0, precision), "llama").getFirst();
        assertThat(given).containsExactly(right, within(precision == Precision.BF16 ? 0.1 : 0.02));
        if (precision == Precision.BF16) {
            assertThat(given)
                    .isNotEqualTo(gradients(new CudaBackend(0, Precision.F32), "llama")
                            .getFirst());
        }
    }

    private static List<double[]> values(Backend backend, Collection<Tensor> tensors) {
        List<double[]> values = new ArrayList<>();
        for (Tensor tensor : tensors) {
            double[] of = new double[Math.toIntExact(tensor.size())];
            backend.read(of, tensor, of.length);
            values.add(of);
        }
        return values;
    }

    private static void assertClose(List<double[]> given, List<double[]> right) {
        Iterator<double[]> next = right.iterator();
        for (double[] tensor : given) {
            double[] expected = next.next();
            double largest = 0;
            for (double x : expected) {
                largest = Math.max(largest, Math.abs(x));
            }
            assertThat(tensor).containsExactly(expected, within(TOLERANCE * largest));
        }
    }
}
