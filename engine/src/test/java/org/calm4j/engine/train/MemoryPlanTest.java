package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Set;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.api.Test;

final class MemoryPlanTest {
    /** A card of 24 GiB, of which the driver shows less. */
    private static final double CARD = 23.5 * (1L << 30);

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
        MemoryPlan plan = MemoryPlan.of(llama3(), DType.BF16, LORA, true, Activations.Purpose.CHECKPOINTING, SHORT);
        // 8.03 billion weights of two bytes, 42 million trained ones of four.
        assertThat(plan.frozen() / 1e9).isCloseTo(16.06, within(0.01));
        assertThat(plan.trained() / 1e9).isCloseTo(0.168, within(0.001));
        assertThat(plan.total() + MemoryPlan.WORKING).isLessThan((long) CARD);
        assertThat(plan.toString())
                .startsWith("memory: 16.06 GB frozen weights, 0.17 GB trained weights")
                .contains("rounded copies");
    }

    @Test
    void withoutCheckpointingOrWithAllWeightsItIsTooSmall() {
        assertThat(MemoryPlan.of(llama3(), DType.BF16, LORA, true, Activations.Purpose.TRAINING, SHORT)
                        .total())
                .isGreaterThan((long) CARD);
        assertThat(MemoryPlan.of(llama3(), DType.BF16, null, true, Activations.Purpose.CHECKPOINTING, SHORT)
                                .total()
                        / 1e9)
                .isGreaterThan(8.03 * 18);
    }

    @Test
    void oneLineForPeople() {
        assertThat(new MemoryPlan(16_060_000_000L, 168_000_000, 168_000_000, 336_000_000, 84_000_000, 2_500_000_000L))
                .hasToString(
                        "memory: 16.06 GB frozen weights, 0.17 GB trained weights, 0.17 gradients, 0.34 moments, 0.08 rounded copies, 2.50 activations; "
                                + "19.32 GB in all, and about 1.07 GB for running operations");
        assertThat(new MemoryPlan(0, 1_230_000, 1_230_000, 2_460_000, 0, 5_000_000))
                .hasToString(
                        "memory: 1.23 MB trained weights, "
                                + "1.23 gradients, 2.46 moments, 5.00 activations; 9.92 MB in all, and about 1.07 GB for running operations");
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
                                model.config(),
                                DType.F32,
                                null,
                                false,
                                Activations.Purpose.CHECKPOINTING,
                                new Activations.Capacity(3, 3, 3, 0, 0)));
            }
        }
    }
}
