package org.calm4j.calm.stage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.world.Curriculum;
import org.calm4j.calm.world.CurriculumConfig;
import org.calm4j.calm.world.World;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.calm.world.WorldFiles;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.ModelConfig;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;

/** A few questions of the embedded world in two languages, a very small model with random weights that knows its words, an experiment on them. */
public final class WorldOnDisk {
    private static final int QUESTIONS = 24;

    private WorldOnDisk() {
    }

    public static void write(Path folder) throws IOException {
        World world = World.create(WorldConfig.of(List.of("en", "fr"), 3));
        Curriculum curriculum = new Curriculum(world, CurriculumConfig.DEFAULT);
        Path files = folder.resolve("world");
        WorldFiles.write(world, curriculum, files);
        List<Question> all = Jsonl.read(files.resolve(WorldFiles.TRAINING_QUESTIONS), Question.class);
        List<String> ids = all.stream().map(Question::id).distinct().limit(QUESTIONS).toList();
        Jsonl.write(files.resolve("some.jsonl"), all.stream().filter(question -> ids.contains(question.id())).toList());
        Path model = files.resolve(WorldFiles.TOKENIZER);
        ModelConfig config = ModelConfig.llama(curriculum.tokenizer().size(), 16, 24, 1, 2, 2, 256, curriculum.tokenizer().eosId());
        Json.write(model.resolve("config.json"), config.toJson());
        try (Backend backend = Backends.open("cpu", 1); Parameters parameters = Parameters.random(backend, config, 5)) {
            Safetensors.write(model.resolve("model.safetensors"), parameters.block().tensors(), Map.of("format", "pt"));
        }
        Files.writeString(folder.resolve("experiment.yaml"), """
                model: ../world/%s
                questions: [../world/some.jsonl]
                prompts: ../world/%s
                output: out
                seed: 4
                sample: {responses: 16, max_new_tokens: 32}
                dpo: {max_steps: 24, learning_rate: 1e-3, batch_size: 4}
                baselines: [sft]
                """.formatted(WorldFiles.TOKENIZER, WorldFiles.PROMPTS));
    }
}
