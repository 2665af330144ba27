package org.calm4j.calm.bench;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.text.BpeTrainer;
import org.calm4j.engine.text.Tokenizer;

/** Shapes to measure with; weights are random, since their values do not change the speed. */
public final class Models {
    private static final Map<String, ObjectNode> SHAPES = shapes();

    private Models() {}

    private static Map<String, ObjectNode> shapes() {
        try (InputStream in = Models.class.getResourceAsStream("shapes.json")) {
            return Json.mapper().readValue(in, new TypeReference<TreeMap<String, ObjectNode>>() {});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * @param name of a known shape, or a model folder, whose {@code config.json} is taken
     * @throws CalmException wrong usage: neither
     */
    public static ModelConfig config(String name) {
        if (SHAPES.containsKey(name)) {
            return ConfigReader.of(SHAPES.get(name), name);
        }
        Path config = Path.of(name).resolve("config.json");
        if (!Files.exists(config)) {
            throw CalmException.usage(
                    Setting.of("model"),
                    " is \"" + name + "\"; known: " + String.join(", ", SHAPES.keySet())
                            + ", or a folder with a config.json");
        }
        return ConfigReader.read(config);
    }

    /**
     * The tokenizer of a model folder, or a byte-level one of as many tokens as the shape has, made from {@code texts}.
     *
     * @param name as {@link #config} takes it
     */
    static Tokenizer tokenizer(String name, List<String> texts) {
        return SHAPES.containsKey(name)
                ? BpeTrainer.train(texts, config(name).vocabulary().size(), "</s>")
                : Tokenizer.read(Path.of(name));
    }

    /** Elements of all matrices that a token is multiplied with, the head included. */
    static double matrices(ModelConfig config) {
        double block = 0;
        for (Projection projection : config.layout().projections()) {
            block += (double) config.inputSize(projection) * config.outputSize(projection);
        }
        return config.layers() * block + (double) config.vocabulary().size() * config.hiddenSize();
    }

    /** Floating-point operations of a forward pass: products of {@code rows} tokens and attention to {@code keys} keys in all. */
    static double forwardFlops(ModelConfig config, double rows, double scored, double keys) {
        double head = (double) config.vocabulary().size() * config.hiddenSize();
        return 2 * rows * (matrices(config) - head)
                + 2 * scored * head
                + 4.0
                        * keys
                        * config.layers()
                        * config.attention().heads()
                        * config.attention().headDim();
    }
}
