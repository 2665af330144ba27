package org.calm4j.calm.stage;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.calm.data.Document;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;

/**
 * The whole of CALM: measure, sample, vote, pair, train by DPO, measure again, report. Every stage reads and writes files below the output
 * folder, and what is done is not done again.
 */
public final class Experiment {
    private final ExperimentConfig config;
    private final Backend backend;
    private final Progress progress;
    private final StageLedger ledger;
    private final PromptTemplates prompts;

    /** @param ledger of stages that ran before, such as pretraining; null to begin one */
    Experiment(ExperimentConfig config, Backend backend, Progress progress, StageLedger ledger) {
        this.config = config;
        this.backend = backend;
        this.progress = progress;
        AtomicFile.directories(config.output());
        this.ledger = ledger == null ? new StageLedger(config.output(), progress) : ledger;
        prompts = PromptTemplates.choose(config.prompts(), config.model());
    }

    public Experiment(ExperimentConfig config, Backend backend, Progress progress) {
        this(config, backend, progress, null);
    }

    private Path file(String name) {
        return config.output().resolve(name);
    }

    /** Runs what is not done; returns what the report shows. */
    public ExperimentResult run() {
        evaluate("before", config.model());
        ledger.run("sample", List.of(config.sample(), prompts, config.seed()), inputs(config.questions(), config.model()),
                file("samples.jsonl"), resume -> {
                    try (ModelFolder model = ModelFolder.open(backend, config.model(), null)) {
                        new SampleStage(config.questions(), prompts, file("samples.jsonl"), config.sample().sampling(config.seed()))
                                .run(model, progress);
                    }
                });
        vote("vote", new VoteOptions(), file("votes.jsonl"));
        pairs("pairs", file("votes.jsonl"), file("pairs.jsonl"));
        train("dpo", file("pairs.jsonl"), config.dpo(), file("calm"));
        evaluate("after", file("calm"));
        for (String baseline : config.baselines()) {
            baseline(baseline);
        }
        perplexity("before", config.model());
        perplexity("after", file("calm"));
        return new ExperimentResult(config, ledger.seconds(), backend.describe()).write();
    }

    private void vote(String name, VoteOptions options, Path output) {
        ledger.run(name, options, List.of(file("samples.jsonl")), output,
                resume -> new VoteStage(List.of(file("samples.jsonl")), output, options).run());
    }

    private void pairs(String name, Path votes, Path output) {
        PairOptions options = new PairOptions();
        options.pairsPerQuestion = config.pairsPerQuestion();
        ledger.run(name, List.of(options, prompts, config.seed()), List.of(file("samples.jsonl"), votes), output, resume -> {
            PairCounts counts = new PairsStage(List.of(file("samples.jsonl")), votes, prompts, output, options, null, config.seed()).run();
            progress.say(name + ": " + counts.pairs() + " " + counts.sources() + ", none for " + counts.skipped());
        });
    }

    private void train(String name, Path data, TrainingOptions options, Path output) {
        List<Path> inputs = new ArrayList<>(List.of(config.model(), data));
        if (options.replay != null) {
            inputs.add(options.replay);
        }
        ledger.run(name, List.of(options, config.seed()), inputs, output, resume -> {
            options.resume = resume;
            new TrainStage(name, config.model(), null, null, data, output, options, config.seed()).run(backend, progress);
        });
    }

    /** Both question sets, greedy; {@code eval-NAME} and {@code held-out-NAME}. */
    private void evaluate(String name, Path model) {
        evaluate("eval-" + name, config.evaluation(), model);
        if (!config.heldOut().isEmpty()) {
            evaluate("held-out-" + name, config.heldOut(), model);
        }
    }

    private void evaluate(String name, List<Path> questions, Path model) {
        ledger.run(name, List.of(config.maxNewTokens(), prompts, config.seed()), inputs(questions, model), file(name), resume -> {
            try (ModelFolder folder = open(model)) {
                new EvaluateStage(file(name), config.seed()).generate(folder, questions, prompts, config.maxNewTokens(), progress);
            }
        });
    }

    /** A trained folder may hold an adapter of the model instead of a model. */
    private ModelFolder open(Path model) {
        boolean adapter = Files.exists(model.resolve("adapter_config.json"));
        return adapter ? ModelFolder.open(backend, config.model(), model) : ModelFolder.open(backend, model, null);
    }

    private static List<Path> inputs(List<Path> files, Path model) {
        return Stream.concat(files.stream(), Stream.of(model)).toList();
    }

    private void baseline(String name) {
        Path data = file(name + ".jsonl");
        if (name.equals("sft")) {
            ledger.run("sft-data", "", List.of(file("pairs.jsonl")), data,
                    resume -> Jsonl.write(data, Jsonl.read(file("pairs.jsonl"), Pair.class).stream()
                    .map(Document::of).toList()));
            train("sft", data, sftOptions(), file("sft"));
        } else {
            // Every language votes alone: what self-consistency gives without the other languages.
            VoteOptions alone = new VoteOptions();
            alone.voteBy = VoteOptions.VoteBy.LANGUAGE;
            vote("self-consistency-vote", alone, file("self-consistency-votes.jsonl"));
            pairs("self-consistency-pairs", file("self-consistency-votes.jsonl"), data);
            train("self-consistency", data, config.dpo(), file("self-consistency"));
        }
        evaluate(name, file(name));
    }

    private TrainingOptions sftOptions() {
        PreferenceOptions dpo = config.dpo();
        TrainingOptions options = new TrainingOptions();
        options.maxSteps = dpo.maxSteps;
        options.epochs = dpo.epochs;
        options.batchSize = dpo.batchSize;
        options.microBatchSize = dpo.microBatchSize;
        options.learningRate = dpo.learningRate;
        options.lrScheduler = dpo.lrScheduler;
        options.minLrRate = dpo.minLrRate;
        options.warmupRatio = dpo.warmupRatio;
        options.warmupSteps = dpo.warmupSteps;
        options.weightDecay = dpo.weightDecay;
        options.adamBeta1 = dpo.adamBeta1;
        options.adamBeta2 = dpo.adamBeta2;
        options.loraRank = dpo.loraRank;
        options.loraAlpha = dpo.loraAlpha;
        options.loraTargets = dpo.loraTargets;
        options.replay = dpo.replay;
        options.replayWeight = dpo.replayWeight;
        options.replayBatchSize = dpo.replayBatchSize;
        return options;
    }

    private void perplexity(String name, Path model) {
        if (config.statements() == null) {
            return;
        }
        ledger.run("perplexity-" + name, "", List.of(config.statements(), model), file("perplexity-" + name + ".json"), resume -> {
            try (ModelFolder folder = open(model)) {
                new PerplexityStage(config.statements(), file("perplexity-" + name + ".json")).run(folder, progress);
            }
        });
    }
}
