package org.calm4j.calm.cli;

import java.nio.file.Path;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Option;

/** Which model, with or without an adapter. */
final class ModelOptions {
    @Option(
            names = "--model",
            paramLabel = "DIR",
            required = true,
            description = "A model folder in the Hugging Face layout.")
    Path model;

    @Option(names = "--adapter", paramLabel = "DIR", description = "A PEFT folder (LoRA) on top of it.")
    Path adapter;

    /** Opens it, and reports the parts that are not used. */
    ModelFolder open(CalmCommand command, Backend backend) {
        return command.told(ModelFolder.open(backend, model, adapter));
    }
}
