package org.calm4j.engine.model;

import java.util.Set;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;

/** Models so small that a test can differentiate them numerically. */
public final class TinyModel {
    private TinyModel() {
    }

    /** Two layers, four heads over two key/value heads, odd sizes elsewhere. */
    public static ModelConfig config(boolean tied) {
        ModelConfig llama = ModelConfig.llama(23, 12, 18, 2, 2, 1, 64, 0);
        var json = llama.json().deepCopy();
        json.put("tie_word_embeddings", tied);
        json.put("num_attention_heads", 4);
        json.put("num_key_value_heads", 2);
        json.put("head_dim", 6);
        json.put("initializer_range", 0.3);
        return ModelConfig.of(json, "test");
    }

    public static CausalLm random(Backend backend, boolean tied) {
        ModelConfig config = config(tied);
        return new CausalLm(config, Parameters.random(backend, config, 7), null);
    }

    /** With an adapter whose B is not zero. */
    public static CausalLm withLora(Backend backend, double dropout) {
        ModelConfig config = config(true);
        var settings = new Lora.Settings(3, 6, dropout, false, Set.of(Projection.values()));
        Lora lora = Lora.random(backend, config, settings, 5);
        for (var tensor : lora.block().tensors()) {
            if (tensor.name().endsWith("lora_B.weight")) {
                double[] values = new double[(int) tensor.size()];
                for (int i = 0; i < values.length; i++) {
                    values[i] = 0.2 * CounterRandom.normal(CounterRandom.seed(9, tensor.name()), i);
                }
                backend.write(tensor, values, values.length);
            }
        }
        return new CausalLm(config, Parameters.random(backend, config, 7), lora);
    }

    /** A document and a prompt with two continuations, one of them a single token. */
    public static PackedBatch batch() {
        PackedBatch batch = new PackedBatch();
        batch.add(new int[] {3, 1, 4, 1, 5, 9, 2}, 2);
        int prompt = batch.prompt(new int[] {6, 5, 3});
        batch.continuation(prompt, new int[] {5, 8, 9, 7});
        batch.continuation(prompt, new int[] {22});
        batch.add(new int[] {11, 12}, 1);
        return batch;
    }

    public static Activations activations(CausalLm model, Activations.Purpose purpose) {
        int rank = model.lora() == null ? 0 : model.lora().settings().rank();
        return new Activations(model.backend(), model.config(), purpose, new Activations.Capacity(24, 24, 32, 0, rank));
    }
}
