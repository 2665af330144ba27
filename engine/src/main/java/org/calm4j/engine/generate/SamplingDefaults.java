package org.calm4j.engine.generate;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/**
 * The sampling that a model's authors recommend, from {@code generation_config.json}: greedily unless {@code do_sample} is true. What is
 * missing is as in transformers, a {@code top_k} of 50 among it.
 */
public record SamplingDefaults(double temperature, int topK, double topP, double minP, double repetitionPenalty) {
    private static final int TOP_K = 50;

    /** @throws CalmException bad input: a broken file, or an invalid number */
    public static SamplingDefaults read(Path folder) {
        Path file = folder.resolve("generation_config.json");
        JsonNode json = Files.exists(file)
                ? Json.read(file, JsonNode.class)
                : Json.mapper().createObjectNode();
        boolean sample = json.path("do_sample").asBoolean(false);
        return new SamplingDefaults(
                sample ? number(json, "temperature", 1, 0, 1e6, file) : 0,
                (int) number(json, "top_k", json.has("top_k") ? 0 : TOP_K, 0, Integer.MAX_VALUE, file),
                number(json, "top_p", 1, 1e-9, 1, file),
                number(json, "min_p", 0, 0, 1, file),
                number(json, "repetition_penalty", 1, 1e-6, 1e6, file));
    }

    private static double number(JsonNode json, String name, double otherwise, double least, double most, Path file) {
        JsonNode value = json.path(name);
        if (value.isMissingNode() || value.isNull()) {
            return otherwise;
        }
        if (!value.isNumber() || !(value.asDouble() >= least && value.asDouble() <= most)) {
            throw CalmException.badInput(file, name + " is " + value);
        }
        return value.asDouble();
    }
}
