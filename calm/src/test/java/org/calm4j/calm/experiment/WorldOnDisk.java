package org.calm4j.calm.experiment;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.calm.world.Curriculum;
import org.calm4j.calm.world.World;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.calm.world.WorldFiles;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.DType;

/** A few questions of the embedded world in two languages, a very small model that learned to answer somehow, an experiment on them. */
public final class WorldOnDisk {
    private static final int QUESTIONS = 24;
    private static final int TOKENS = 60_000;
    private static final int STEPS = 150;

    private WorldOnDisk() {}

    public static void write(Path folder) throws IOException {
        World world = World.create(
                WorldConfig.of(List.of("en", "fr"))
                        .withTexts(WorldConfig.standard().texts().withTokens(TOKENS, 0)),
                3);
        Curriculum curriculum = new Curriculum(world);
        Path files = folder.resolve("world");
        WorldFiles.write(world, curriculum, files);
        List<Question> all = Jsonl.read(files.resolve(WorldFiles.TRAINING_QUESTIONS), Question.class);
        List<String> ids =
                all.stream().map(Question::id).distinct().limit(QUESTIONS).toList();
        Jsonl.write(
                files.resolve("some.jsonl"),
                all.stream().filter(question -> ids.contains(question.id())).toList());
        Path model = files.resolve(WorldFiles.TOKENIZER);
        ModelConfig config = Llama.config(
                curriculum.tokenizer().size(),
                48,
                96,
                1,
                2,
                2,
                256,
                curriculum.tokenizer().eosId());
        Json.write(model.resolve("config.json"), config.toJson(DType.F32));
        Jsonl.write(folder.resolve("pretrain.jsonl"), curriculum.documents());
        TrainingOptions options = Options.make(
                TrainingOptions.class, Map.of("max_steps", STEPS, "batch_size", 16, "learning_rate", 1e-2));
        try (Backend backend = Backends.open("cpu", 0)) {
            new TrainStage(
                            "pretrain",
                            null,
                            null,
                            model.resolve("config.json"),
                            folder.resolve("pretrain.jsonl"),
                            folder.resolve("model"),
                            options,
                            null,
                            Options.standard(SavingOptions.class),
                            5)
                    .run(backend, Progress.NONE);
        }
        Files.writeString(folder.resolve("experiment.yaml"), """
                model: ../model
                questions: [../world/some.jsonl]
                prompts: ../world/%s
                output: out
                seed: 4
                sample: {responses: 16, max_new_tokens: 32}
                dpo: {max_steps: 24, learning_rate: 1e-3, batch_size: 4}
                baselines: [sft]
                """.formatted(WorldFiles.PROMPTS));
    }
}
