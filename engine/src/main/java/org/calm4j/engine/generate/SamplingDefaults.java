package org.calm4j.engine.generate;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.op.TokenFilter;

/**
 * The sampling that a model's authors recommend, from {@code generation_config.json}: greedily unless {@code do_sample} is true. What is
 * missing is as in transformers, a {@code top_k} of 50 among it.
 */
public final class SamplingDefaults {
    private static final int TOP_K = 50;

    private SamplingDefaults() {}

    /** @throws CalmException bad input: a broken file, or an invalid number */
    public static TokenFilter read(Path folder) {
        Path file = folder.resolve("generation_config.json");
        JsonNode json = Files.exists(file)
                ? Json.read(file, JsonNode.class)
                : Json.mapper().createObjectNode();
        boolean sample = json.path("do_sample").asBoolean(false);
        double topK = number(json, "top_k", json.has("top_k") ? 0 : TOP_K, file);
        try {
            return new TokenFilter(
                    sample ? number(json, "temperature", 1, file) : 0,
                    topK < 0 ? -1 : (int) topK,
                    number(json, "top_p", 1, file),
                    number(json, "min_p", 0, file),
                    number(json, "repetition_penalty", 1, file));
        } catch (CalmException e) {
            // A key of this file, and no setting of whoever asked.
            throw CalmException.badInput(file, e.message(Setting::key));
        }
    }

    private static double number(JsonNode json, String name, double otherwise, Path file) {
        JsonNode value = json.path(name);
        if (value.isMissingNode() || value.isNull()) {
            return otherwise;
        }
        if (!value.isNumber()) {
            throw CalmException.badInput(file, name + " is " + value);
        }
        return value.asDouble();
    }
}
