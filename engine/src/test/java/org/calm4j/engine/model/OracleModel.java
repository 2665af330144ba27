package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.io.Json;

/** The folders that {@code src/test/oracle/models.py} wrote. */
public final class OracleModel {
    public static final List<String> NAMES =
            List.of("llama-tied", "llama-untied", "llama3-biases", "mistral", "qwen2", "qwen3", "gpt2", "gpt2-untied");

    private OracleModel() {}

    /** In the sources, where every module's tests find it; a jar's resources are not files. */
    public static Path folder(String name) {
        return Path.of("..", "engine", "src", "test", "resources", "oracle", name);
    }

    public static ObjectNode config(String name) {
        return Json.read(folder(name).resolve("config.json"), ObjectNode.class);
    }
}
