package org.calm4j.calm.experiment;

import com.ibm.icu.util.ULocale;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.metric.ResponsePatterns;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.EvaluateOptions;
import org.calm4j.calm.option.InspectOptions;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.SampleOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.calm.world.Curriculum;
import org.calm4j.calm.world.CurriculumConfig;
import org.calm4j.calm.world.World;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.calm.world.WorldFiles;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.tensor.DType;

/**
 * CALM from nothing: a small model is pretrained on the embedded world, where each language knows a different part of the same facts, and then
 * goes through the whole {@link Experiment}.
 *
 * @param world the settings of the world
 * @param from a model folder to start from instead of pretraining; null without
 * @param quick a quarter of the pretraining and of the questions: a check that all works, not for the figures
 * @param full also the baselines, the rivals, and the curve by number of voting languages
 * @param saveSteps steps between checkpoints of each training, which are kept; null for the usual ones
 * @param inspect what is measured in each training; null for what an experiment measures anyway
 */
public record Demo(
        Path output,
        WorldConfig world,
        long seed,
        boolean quick,
        boolean full,
        Path from,
        Integer saveSteps,
        InspectOptions inspect) {
    private static final int BATCH = 32;
    private static final int SAVE_STEPS = 250;
    private static final int MAX_NEW_TOKENS = 40;
    private static final int QUICK = 6;
    private static final List<String> RIVALS = List.of(
            "sft", "self-consistency", "english-pivot", "random", "iterative", "truth", "sft-term", "scpo", "dco");

    /** Runs the stages that are not done; returns the data of the report. */
    public ExperimentResult run(Backend backend, Progress progress) {
        return experiment(backend, progress).run();
    }

    /** What {@link #run} runs. */
    public Experiment experiment(Backend backend, Progress progress) {
        List<Stage> stages = new ArrayList<>();
        Path files = output.resolve("world");
        progress.say("world: "
                + world.hubs().stream()
                        .map(hub -> hub + " knows "
                                + world.coverage().entrySet().stream()
                                        .map(each -> String.format(
                                                Locale.ROOT,
                                                "%.0f %% of the %s facts",
                                                100 * each.getValue().get(hub),
                                                each.getKey()))
                                        .collect(Collectors.joining(" and ")))
                        .collect(Collectors.joining(", "))
                + "; the others may ask them");
        CurriculumConfig texts = world.texts();
        WorldConfig config = quick
                ? world.withSets(1, 1, 1)
                        .withTexts(texts.withTokens(texts.tokens() / QUICK, texts.warmupTokens() / QUICK))
                : world;
        stages.add(new Stage(
                "world", List.of(config, seed), List.of(), files, resume -> write(World.create(config, seed), files)));
        Path base = from;
        if (from == null) {
            base = output.resolve("base");
            stages.add(pretrain(files, base, backend, progress));
        }
        return new Experiment(experiment(files, base), backend, progress, stages);
    }

    private static void write(World world, Path files) {
        Curriculum curriculum = new Curriculum(world);
        WorldFiles.write(world, curriculum, files);
        Jsonl.write(files.resolve("pretrain.jsonl"), curriculum.documents());
        Jsonl.write(files.resolve("replay.jsonl"), curriculum.epoch(Integer.MAX_VALUE));
        Path tokenizer = files.resolve(WorldFiles.TOKENIZER);
        int vocabulary = curriculum.tokenizer().size();
        int eos = curriculum.tokenizer().eosId();
        Json.write(
                tokenizer.resolve("config.json"),
                Llama.config(vocabulary, 128, 344, 3, 2, 2, 256, eos).toJson(DType.F32));
        world.promptTemplates().write(tokenizer.resolve(PromptTemplates.FILE));
    }

    private Stage pretrain(Path files, Path base, Backend backend, Progress progress) {
        Path config = files.resolve(WorldFiles.TOKENIZER).resolve("config.json");
        Path data = files.resolve("pretrain.jsonl");
        TrainingOptions options = Options.make(
                TrainingOptions.class,
                Map.of(
                        "batch_size",
                        BATCH,
                        "learning_rate",
                        1.5e-3,
                        "lr_scheduler",
                        "cosine",
                        "min_lr_rate",
                        0.03,
                        "warmup_ratio",
                        0.03,
                        "weight_decay",
                        0.1,
                        "no_shuffle",
                        true));
        List<Object> settings = new ArrayList<>(List.of(options, seed));
        settings.addAll(Stream.of(saveSteps, inspect).filter(Objects::nonNull).toList());
        return new Stage("pretrain", settings, List.of(config, data), base, resume -> {
            SavingOptions saving = SavingOptions.every(saveSteps == null ? SAVE_STEPS : saveSteps, resume);
            new TrainStage("pretrain", null, null, config, List.of(data), base, options, null, saving, inspect, seed)
                    .run(backend, progress, Ranks.alone());
        });
    }

    private ExperimentConfig experiment(Path files, Path base) {
        DpoOptions dpo = Options.make(
                DpoOptions.class,
                Map.of("batch_size", 16, "min_lr_rate", 0.1, "warmup_ratio", 0.1, "adam_beta2", 0.99));
        SampleOptions sample = Options.make(SampleOptions.class, Map.of("max_new_tokens", MAX_NEW_TOKENS));
        return new ExperimentConfig(
                "CALM on a small real world",
                base,
                List.of(files.resolve(WorldFiles.TRAINING_QUESTIONS)),
                List.of(),
                List.of(files.resolve(WorldFiles.EVALUATION_QUESTIONS)),
                List.of(files.resolve(WorldFiles.HELD_OUT_QUESTIONS)),
                files.resolve(WorldFiles.PROMPTS),
                output,
                seed,
                sample,
                null,
                null,
                dpo,
                EvaluateOptions.greedy(MAX_NEW_TOKENS),
                full ? rivals() : List.of(),
                full ? others(files) : null,
                full ? world.languages() : null,
                files.resolve(WorldFiles.STATEMENTS),
                files.resolve(WorldFiles.KNOWLEDGE),
                world.hubs(),
                ways(),
                saveSteps,
                inspect,
                null);
    }

    /** Directly, or through each of the hubs. */
    private ResponsePatterns ways() {
        Map<String, Map<String, String>> ways = new LinkedHashMap<>();
        Map<String, String> direct = new LinkedHashMap<>();
        world.languages().forEach(language -> direct.put(language, "^(?!" + language + " \\S+ =)"));
        ways.put("direct", direct);
        for (String hub : world.hubs()) {
            Map<String, String> through = new LinkedHashMap<>();
            world.languages().stream()
                    .filter(language -> !language.equals(hub))
                    .forEach(language -> through.put(language, "^" + language + " \\S+ = " + hub + " "));
            ways.put("through " + ULocale.getDisplayLanguage(hub, "en"), through);
        }
        return new ResponsePatterns(ways);
    }

    /** What the settings above leave open: texts of pretraining besides the pairs, against forgetting, and SFT with larger steps. */
    private static Map<String, Arm> others(Path files) {
        Map<String, Arm> arms = new LinkedHashMap<>();
        arms.put(
                "replay",
                new Arm(
                        null,
                        null,
                        null,
                        Json.mapper()
                                .valueToTree(Map.of(
                                        "replay",
                                        List.of(files.resolve("replay.jsonl").toString()),
                                        "replay_batch_size",
                                        32,
                                        "replay_weight",
                                        1)),
                        null,
                        1));
        arms.put(
                "sft-1e-3",
                new Arm(
                        null,
                        null,
                        null,
                        Json.mapper().valueToTree(Map.of("learning_rate", 1e-3, "epochs", 2)),
                        Arm.Train.SFT,
                        1));
        return arms;
    }

    /** Those that these languages allow. */
    private List<String> rivals() {
        return RIVALS.stream()
                .filter(name ->
                        !name.equals("english-pivot") || world.languages().contains("en"))
                .filter(name -> !name.equals("dco") || world.languages().size() > 1)
                .toList();
    }
}
