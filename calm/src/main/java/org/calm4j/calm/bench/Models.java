package org.calm4j.calm.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Supplier;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.ModelConfig;
import org.calm4j.engine.model.Projection;

/** Shapes to measure with; weights are random, since their values do not change the speed. */
public final class Models {
    private static final Map<String, Supplier<ModelConfig>> SHAPES = Map.of(
            "demo", () -> ModelConfig.llama(950, 128, 344, 2, 2, 2, 512, 1),
            "llama-15m", () -> ModelConfig.llama(32_000, 288, 768, 6, 6, 6, 1024, 2),
            "llama-110m", () -> ModelConfig.llama(32_000, 768, 2048, 12, 12, 12, 1024, 2));

    private Models() {
    }

    /**
     * @param name of a known shape, or a model folder, whose {@code config.json} is taken
     * @throws CalmException wrong usage: neither
     */
    public static ModelConfig config(String name) {
        if (SHAPES.containsKey(name)) {
            return SHAPES.get(name).get();
        }
        Path config = Path.of(name).resolve("config.json");
        if (!Files.exists(config)) {
            throw CalmException.usage("--model is \"" + name + "\"; known: " + String.join(", ", SHAPES.keySet().stream().sorted().toList())
                    + ", or a folder with a config.json");
        }
        return ModelConfig.read(config);
    }

    /** Elements of all matrices that a token is multiplied with, the head included. */
    static double matrices(ModelConfig config) {
        double block = 0;
        for (Projection projection : Projection.values()) {
            block += (double) projection.inputSize(config) * projection.outputSize(config);
        }
        return config.layers() * block + (double) config.vocabSize() * config.hiddenSize();
    }

    /** Floating-point operations of a forward pass: products of {@code rows} tokens and attention to {@code keys} keys in all. */
    static double forwardFlops(ModelConfig config, double rows, double scored, double keys) {
        double head = (double) config.vocabSize() * config.hiddenSize();
        return 2 * rows * (matrices(config) - head) + 2 * scored * head + 4.0 * keys * config.layers() * config.heads() * config.headDim();
    }
}
