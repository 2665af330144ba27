package org.calm4j.calm.experiment;

import java.nio.file.Path;
import java.util.Map;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.DType;

/** A very small model folder with random weights and without a tokenizer. */
public final class ModelOnDisk {
    private ModelOnDisk() {}

    public static void write(Path folder) {
        ModelConfig config = Llama.config(17, 16, 24, 2, 2, 1, 64, 1);
        AtomicFile.directories(folder);
        Json.write(folder.resolve("config.json"), config.toJson(DType.F32));
        try (Backend backend = Backends.open("cpu", 1);
                Parameters parameters = Parameters.random(backend, config, 5)) {
            Safetensors.write(
                    folder.resolve("model.safetensors"), parameters.slab().tensors(), Map.of("format", "pt"));
        }
    }
}
