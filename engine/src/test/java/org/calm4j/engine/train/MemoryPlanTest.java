package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

final class MemoryPlanTest {
    /** A card of 24 GiB, of which the driver shows less. */
    private static final double CARD = 23.5 * (1L << 30);

    private static final Backend CARD_OF_24 = (Backend) Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (proxy, method, arguments) -> switch (method.getName()) {
                case "computeType" -> DType.F32;
                case "keepsRounded" -> true;
                case "workingBytes" -> 1L << 30;
                default -> 0L;
            });

    private static final LoraSettings LORA = new LoraSettings(
            16,
            32,
            0,
            false,
            Set.of(
                    Projection.Q,
                    Projection.K,
                    Projection.V,
                    Projection.O,
                    Projection.GATE,
                    Projection.UP,
                    Projection.DOWN));
    /** Two pairs of 500 tokens each way. */
    private static final Activations.Capacity SHORT = new Activations.Capacity(2048, 2050, 1024, 0, 16);

    private static ModelConfig llama3() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model_type", "llama")
                .put("vocab_size", 128_256)
                .put("hidden_size", 4096)
                .put("intermediate_size", 14_336);
        json.put("num_hidden_layers", 32)
                .put("num_attention_heads", 32)
                .put("num_key_value_heads", 8)
                .put("rms_norm_eps", 1e-5);
        json.put("rope_theta", 500_000.0).put("max_position_embeddings", 8192).put("tie_word_embeddings", false);
        return ConfigReader.of(json, "Llama-3-8B");
    }

    @Test
    void anAdapterOfLlama3On24GigabytesWithCheckpointing() {
        MemoryPlan plan =
                MemoryPlan.of(CARD_OF_24, llama3(), DType.BF16, LORA, Activations.Purpose.CHECKPOINTING, SHORT);
        // 8.03 billion weights of two bytes, 42 million trained ones of four.
        assertThat(plan.frozen() / 1e9).isCloseTo(16.06, within(0.01));
        assertThat(plan.trained() / 1e9).isCloseTo(0.168, within(0.001));
        assertThat(plan.total()).isLessThan((long) CARD);
        assertThat(plan.toString())
                .startsWith("20.29 GB (16.06 frozen weights, 0.17 trained weights")
                .contains("rounded copies");
    }

    @Test
    void withoutCheckpointingOrWithAllWeightsItIsTooSmall() {
        assertThat(MemoryPlan.of(CARD_OF_24, llama3(), DType.BF16, LORA, Activations.Purpose.TRAINING, SHORT)
                        .total())
                .isGreaterThan((long) CARD);
        assertThat(MemoryPlan.of(CARD_OF_24, llama3(), DType.BF16, null, Activations.Purpose.CHECKPOINTING, SHORT)
                                .total()
                        / 1e9)
                .isGreaterThan(8.03 * 18);
    }

    @Test
    void oneLineForPeople() {
        assertThat(new MemoryPlan(
                        16_060_000_000L,
                        168_000_000,
                        168_000_000,
                        336_000_000,
                        0,
                        84_000_000,
                        2_500_000_000L,
                        1_000_000_000,
                        0,
                        1_000_000_000))
                .hasToString("20.32 GB (16.06 frozen weights, 0.17 trained weights, 0.17 gradients, 0.34 moments, "
                        + "0.08 rounded copies, 2.50 activations, 1.00 working)");
        // What the reference took before is the peak here.
        MemoryPlan small =
                new MemoryPlan(0, 1_230_000, 1_230_000, 2_460_000, 0, 0, 5_000_000, 20_000_000, 3_000_000, 0);
        assertThat(small)
                .hasToString(
                        "21.23 MB (1.23 trained weights, 1.23 gradients, 2.46 moments, 5.00 activations, "
                                + "or 20.00 in their place before, for the reference), and 3.00 for faster copies of frozen weights where it is left over");
        assertThat(small.peak()).isEqualTo(24_230_000);
    }

    /** Native memory as the buffers count it, at three sizes, of rarer kinds at the first: 10 % beside the plan at most. */
    @Tag("slow")
    @Test
    void whatIsTakenIsWhatIsPlanned() {
        for (int[] size : new int[][] {{4000, 160, 2}, {4000, 256, 3}, {8000, 320, 3}}) {
            for (Kind kind : size[1] == 160 ? Kind.values() : new Kind[] {Kind.FULL, Kind.LORA}) {
                try (Backend backend = new SimdBackend(2)) {
                    long before = HostBuffer.taken();
                    HostBuffer.resetPeak();
                    MemoryPlan plan =
                            train(backend, Llama.config(size[0], size[1], 3 * size[1], size[2], 4, 2, 256, 1), kind);
                    double taken = HostBuffer.peak() - before;
                    assertThat(taken / plan.peak())
                            .as("%s %s, taken %s", kind, plan, taken)
                            .isBetween(0.9, 1.1);
                }
            }
        }
        assertThat(HostBuffer.taken()).isLessThanOrEqualTo(HostBuffer.peak());
    }

    private enum Kind {
        FULL,
        /** With moments in 8 bit. */
        PACKED,
        LORA,
        DORA,
        PISSA,
        /** TR-DPO. */
        FOLLOWING,
        /** Another model is the reference. */
        REFERRING;

        boolean adapts() {
            return this == LORA || this == DORA || this == PISSA;
        }

        LoraSettings settings() {
            LoraSettings.Start start = this == PISSA ? LoraSettings.Start.PISSA : LoraSettings.Start.TRUE;
            return new LoraSettings(
                    16,
                    32,
                    0,
                    false,
                    MemoryPlanTest.LORA.targets(),
                    null,
                    List.of(),
                    Map.of(),
                    Map.of(),
                    this == DORA,
                    start,
                    List.of());
        }

        TrainSettings settings(TrainSettings settings) {
            return this == PACKED ? settings.keeping(OptimizerMemory.EIGHT_BIT) : settings;
        }

        TrainingMemory memory(TrainingMemory memory, ModelConfig config) {
            return switch (this) {
                case FOLLOWING -> memory.following(0);
                case REFERRING -> memory.referring(larger(config), Parameters.bytes(larger(config), DType.F32));
                default -> memory;
            };
        }
    }

    /** So much larger that it takes more than training does. */
    private static ModelConfig larger(ModelConfig config) {
        int width = 4 * config.hiddenSize();
        return Llama.config(config.vocabulary().size(), width, 3 * width, config.layers(), 4, 2, 256, 1);
    }

    private static List<Trainer.Reference> reference(
            Kind kind, CausalLm model, SyncedReference synced, List<Example.Preference> lines) {
        if (synced != null) {
            return Collections.nCopies(lines.size(), Trainer.Reference.NONE);
        }
        if (kind != Kind.REFERRING) {
            return References.of(model.withoutAdapter(), lines, null);
        }
        ModelConfig other = larger(model.config());
        try (Parameters parameters = Parameters.random(model.backend(), other, 6)) {
            return References.of(new CausalLm(other, parameters, null), lines, null);
        }
    }

    private static MemoryPlan train(Backend backend, ModelConfig config, Kind kind) {
        try (Parameters parameters = Parameters.random(backend, config, 5)) {
            Lora lora = null;
            if (kind.adapts()) {
                parameters.freeze();
                lora = Lora.random(backend, config, kind.settings(), 3);
            }
            CausalLm model = new CausalLm(config, parameters, lora);
            List<Example.Preference> lines = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                lines.add(new Example.Preference(tokens(i, 60), tokens(i + 10, 40), tokens(i + 20, 40), 1));
            }
            TrainSettings settings = kind.settings(settings(8, 0, false));
            TrainingMemory memory = kind.memory(
                    TrainingMemory.of(model, 0, TrainingSizes.of(lines, Replay.NONE, List.of()), true, Division.NONE),
                    config);
            memory.check(settings, HostBuffer.machine());
            try (SyncedReference synced = kind == Kind.FOLLOWING ? new SyncedReference(model, 0.5, 1) : null;
                    Trainer trainer =
                            new Trainer(model, settings, lines, Replay.NONE, reference(kind, model, synced, lines))) {
                trainer.refer(synced);
                trainer.step(0);
                trainer.step(1);
                assertThat(trainer.memory())
                        .usingRecursiveComparison()
                        .ignoringFields("reference")
                        .isEqualTo(memory.plan(settings));
            }
            if (lora != null) {
                lora.close();
            }
            return memory.plan(settings);
        }
    }

    /** What an adapter has beside what it trains. */
    @Test
    void anAdapterTakesMoreThanWhatItTrains() {
        ModelConfig config = Llama.config(100, 32, 96, 2, 4, 2, 256, 1);
        try (Backend backend = new ScalarBackend()) {
            for (Kind kind : new Kind[] {Kind.LORA, Kind.DORA, Kind.PISSA}) {
                long before = HostBuffer.taken();
                try (Lora lora = new Lora(backend, config, kind.settings())) {
                    assertThat(lora.fixedBytes())
                            .as("%s", kind)
                            .isEqualTo(HostBuffer.taken() - before - lora.slab().bytes());
                    assertThat(lora.fixedBytes() > 0).as("%s", kind).isEqualTo(kind != Kind.LORA);
                }
            }
        }
    }

    private static int[] tokens(int seed, int count) {
        return IntStream.range(0, count)
                .map(i -> 1 + (seed * 31 + i * 17) % 900)
                .toArray();
    }

    /** Too little memory is an error that names what would fit, and what it saves; an automatic choice fits. */
    @Test
    void whatDoesNotFitIsToldWhatWould() {
        try (Backend backend = new SimdBackend(1)) {
            ModelConfig config = Llama.config(1000, 128, 344, 4, 4, 2, 256, 1);
            List<Example.Document> lines = IntStream.range(0, 8)
                    .mapToObj(i -> new Example.Document(tokens(i, 200), 1, 1))
                    .toList();
            long weights = Parameters.bytes(config, DType.F32);
            TrainingMemory memory = new TrainingMemory(
                    backend,
                    config,
                    0,
                    false,
                    weights / 2,
                    0,
                    config.shapes(),
                    TrainingSizes.of(lines, Replay.NONE, List.of()),
                    0,
                    0,
                    Division.NONE);
            TrainSettings settings = settings(8, 0, false);
            long whole = memory.plan(settings).total();
            assertThat(memory.following(0).plan(settings).total()).isEqualTo(whole + weights);
            memory.check(settings, whole);
            assertThatThrownBy(() -> memory.check(settings, whole - 1))
                    .isInstanceOfSatisfying(CalmException.class, e -> {
                        assertThat(e.kind()).isEqualTo(CalmException.Kind.FAILED);
                        assertThat(e.message(Setting::flag))
                                .startsWith("training needs ")
                                .contains("this machine has ")
                                .containsPattern(
                                        "It fits with --gradient-checkpointing \\([\\d.]+ GB, saves [\\d.]+ GB\\), or --micro-batch-size 7 \\(.*\\), or --lora-rank 16 \\(");
                    });
            long least = memory.plan(settings(8, 1, true)).total();
            assertThatThrownBy(() -> memory.check(settings, least))
                    .hasMessageContaining("It fits with gradientCheckpointing microBatchSize 1 (");
            assertThatThrownBy(() -> memory.check(settings, weights))
                    .hasMessageContaining("Nothing of this is enough, but it is less with")
                    .hasMessageContaining("loraRank 16 gradientCheckpointing microBatchSize 1")
                    .hasMessageContaining("maxLength");
            for (int lineCount = 1; lineCount <= 8; lineCount++) {
                long fitting = memory.plan(settings(8, lineCount, false)).total();
                assertThat(memory.microBatchSize(settings, (long) (1.26 * fitting)))
                        .isEqualTo(lineCount);
            }
            assertThat(memory.microBatchSize(settings, 0)).isEqualTo(1);
            memoriesThatFit(memory, settings(8, 1, true));
        }
    }

    private static void memoriesThatFit(TrainingMemory memory, TrainSettings settings) {
        long[] totals = new long[OptimizerMemory.values().length];
        for (OptimizerMemory kind : OptimizerMemory.values()) {
            totals[kind.ordinal()] = memory.plan(settings.keeping(kind)).total();
            // It fills 80 %.
            long available = (long) (1.26 * totals[kind.ordinal()]);
            assertThat(memory.optimizerMemory(settings, available)).isEqualTo(kind);
        }
        assertThat(memory.optimizerMemory(settings, 0)).isEqualTo(OptimizerMemory.EIGHT_BIT);
        assertThatThrownBy(() -> memory.check(settings, totals[1]))
                .hasMessageContaining("It fits with optimizerMemory bf16 (")
                .hasMessageContaining(", or optimizerMemory 8bit (");
        // A rank's moments are in F32.
        TrainingMemory divided = new TrainingMemory(
                memory.backend(),
                memory.config(),
                0,
                false,
                0,
                0,
                memory.weights(),
                memory.sizes(),
                0,
                0,
                new Division(1, Ranks.alone(), true));
        assertThat(divided.optimizerMemory(settings, 0)).isEqualTo(OptimizerMemory.F32);
        assertThatThrownBy(() -> divided.check(settings, 1)).hasMessageNotContaining("optimizerMemory");
    }

    private static TrainSettings settings(int batch, int microBatch, boolean checkpointing) {
        return new TrainSettings(
                batch,
                microBatch,
                true,
                new Schedule(Schedule.Kind.LINEAR, 1e-3, 0.1, 0, 3),
                AdamW.DEFAULT,
                0,
                1,
                new PreferenceLoss.DpoSigmoid(0.1, 0),
                0.1,
                0,
                0,
                checkpointing,
                3);
    }

    /** Of a real trainer: what its blocks are. */
    @Test
    void isWhatATrainerTakes() {
        try (Backend backend = new ScalarBackend()) {
            CausalLm model = TinyModel.random(backend, true);
            TrainSettings settings = new TrainSettings(
                    1,
                    0,
                    true,
                    new Schedule(Schedule.Kind.LINEAR, 1e-3, 0.1, 0, 1),
                    AdamW.DEFAULT,
                    0,
                    1,
                    null,
                    0,
                    0,
                    0,
                    true,
                    3);
            try (Parameters parameters = model.parameters();
                    Trainer trainer = new Trainer(
                            model,
                            settings,
                            List.of(new Example.Document(new int[] {1, 2, 3, 4}, 1, 1)),
                            Replay.NONE,
                            List.of())) {
                MemoryPlan plan = trainer.memory();
                assertThat(plan.trained()).isEqualTo(parameters.slab().bytes()).isEqualTo(plan.gradients());
                assertThat(plan.moments()).isEqualTo(2 * plan.trained());
                assertThat(plan.frozen()).isZero();
                assertThat(plan.rounded()).isZero();
                assertThat(plan)
                        .isEqualTo(MemoryPlan.of(
                                backend,
                                model.config(),
                                DType.F32,
                                null,
                                Activations.Purpose.CHECKPOINTING,
                                new Activations.Capacity(3, 3, 3, 0, 0)));
            }
        }
    }
}
