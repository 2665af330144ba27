package org.calm4j.calm.stage;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.data.HeldOut;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.calm.option.InspectOptions;
import org.calm4j.calm.option.Option;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Fingerprint;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.calm.run.Stopped;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.train.Checkpoint;
import org.calm4j.engine.train.Division;
import org.calm4j.engine.train.EvaluationPlan;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.References;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.RunIdentity;
import org.calm4j.engine.train.StepLog;
import org.calm4j.engine.train.SyncedReference;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.TrainingFolder;
import org.calm4j.engine.train.TrainingMemory;
import org.calm4j.engine.train.TrainingRun;
import org.calm4j.engine.train.TrainingSizes;
import org.calm4j.engine.train.Truncation;

/**
 * dpo, sft and pretrain: a model and data in, a trained model or adapter out, with metrics and checkpoints on the way.
 *
 * @param model a model folder; null for pretraining from nothing
 * @param adapter a PEFT folder that is trained further; null without one
 * @param config of a new model: a config.json, with the tokenizer in the same folder; null otherwise
 * @param data files, of which one follows the other
 * @param preference how pairs are trained on; null if the data are documents
 * @param inspect what is measured on the way; null for nothing
 */
public record TrainStage(
        String name,
        Path model,
        Path adapter,
        Path config,
        List<Path> data,
        Path output,
        TrainingOptions training,
        PreferenceOptions preference,
        SavingOptions saving,
        InspectOptions inspect,
        long seed) {
    /** Settings that do not touch the arithmetic: what is kept and what is computed again has the same bits, and limits may grow. */
    private static final Set<String> FREE = Set.of(
            "gradient_checkpointing",
            "early_stopping_patience",
            "precompute_ref_log_probs",
            "max_skipped_steps",
            "streaming");

    /** Without measurements, on one file. */
    public TrainStage(
            String name,
            Path model,
            Path adapter,
            Path config,
            Path data,
            Path output,
            TrainingOptions training,
            PreferenceOptions preference,
            SavingOptions saving,
            long seed) {
        this(name, model, adapter, config, List.of(data), output, training, preference, saving, null, seed);
    }

    /**
     * A step of a finished run, taken once more.
     *
     * @param from the finished run's output; null to take all steps anew
     * @param branch a checkpoint of a run with other settings or data, from which these steps go on; null for none
     * @param step from 1
     * @param took receives the log of each step that is taken
     */
    public record Again(Path from, Path branch, int step, Consumer<StepLog> took) {}

    /** What is done with a run's trainer in the place of training. */
    public interface Look {
        /** Documents that are differentiated beside the data. */
        List<Example.Document> questions(ModelFolder start);

        /**
         * @param trainer at the start; {@link TrainingRun#reach} takes it on
         * @param steps of the run
         */
        void at(Trainer trainer, TrainingRun run, int steps);
    }

    /**
     * What a run ended with.
     *
     * @param last the last step's log; null if no step was left
     * @param truncatedLines lines of which a sequence was cut
     * @param truncatedTokens removed from all sequences
     */
    public record Result(StepLog last, int truncatedLines, long truncatedTokens) {}

    /** Trains, together with the other ranks. */
    public Result run(Backend backend, Progress progress) {
        return run(backend, progress, Ranks.here());
    }

    /** @param ranks that train together, or rank 0 alone where a step has no parts to share: all of them call this */
    public Result run(Backend backend, Progress progress, Ranks ranks) {
        saving.evaluation().check(preference != null);
        checkData();
        // Files in the way are found before the model is read.
        try (OutputFolder folder = ranks.isFirst() ? TrainingFolder.open(output, progress::say) : null) {
            int parts = parts(ranks);
            boolean alone =
                    ranks.size() > 1 && parts == 1 && training.division().parts() == null;
            if (alone) {
                progress.say("calm: rank 0 trains alone, to the bits of one process; with " + Division.PARTS + " "
                        + Integer.highestOneBit(ranks.size()) + " ranks would share each step, to bits of its own");
                if (!ranks.isFirst()) {
                    return new Result(null, 0, 0);
                }
            }
            Ranks together = alone ? Ranks.alone() : ranks;
            Setting.of("inspect")
                    .check(
                            inspect == null || together.size() == 1,
                            "sees the steps of one process; start it without a launcher");
            Result result = run(backend, progress, division(parts, together), null, null);
            if (folder != null) {
                TrainingFolder.removeReplaced(
                        folder, output, isAdapted(), training.optimizer().emaDecay() > 0);
            }
            return result;
        }
    }

    /** What documents and pairs alone have. */
    private void checkData() {
        saving.checkEvaluated(training.data());
        Setting.of("inspect")
                .check(
                        inspect == null || training.data().valSize() == null,
                        "names lines of the data by their number, and does not go with ",
                        Setting.of("val_size"),
                        "; hold lines out in a file of their own");
        Setting.of("inspect")
                .check(
                        inspect == null || data.size() == 1 || preference == null || !preference.unpaired(),
                        "of single completions takes one file of ",
                        Setting.of("data"));
        Truncation truncation = training.data().truncation();
        Setting.of("max_prompt_length")
                .check(preference != null || truncation.maxPromptLength() == 0, "is for pairs and single completions");
        Setting.of("max_completion_length")
                .check(
                        preference != null || truncation.maxCompletionLength() == 0,
                        "is for pairs and single completions");
        Setting.of("assistant_only_loss")
                .check(
                        preference == null || !training.data().assistantOnlyLoss(),
                        "is for documents; of pairs, completions are learnt anyway");
    }

    /** Writes the checkpoint of a step into the output, as a run of these settings would have left it. */
    public void replay(Backend backend, Progress progress, Again again) {
        run(backend, progress, division(parts(Ranks.alone()), Ranks.alone()), again, null);
    }

    /** Looks at its steps; writes nothing. */
    public void look(Backend backend, Progress progress, Look look) {
        run(backend, progress, division(parts(Ranks.alone()), Ranks.alone()), null, look);
    }

    /** A run that is resumed goes on in as many parts as it was begun in. */
    private int parts(Ranks ranks) {
        Integer given = training.division().parts();
        // On a disk that machines share, other ranks may not see yet what is there.
        int recorded = ranks.isFirst() && saving.resume() ? Checkpoint.parts(output) : 0;
        double[] parts = {recorded};
        ranks.sum(parts);
        recorded = (int) parts[0];
        if (given != null && recorded > 0 && given != recorded) {
            throw CalmException.badInput(
                    output,
                    "its checkpoint was made with parts " + recorded + ", now it is " + given
                            + "; resume with the same settings, or start again in another ",
                    Setting.OUTPUT);
        }
        return recorded > 0 ? recorded : given != null ? given : 1;
    }

    private Division division(int parts, Ranks ranks) {
        Integer zero = training.division().zero();
        return new Division(parts, ranks, zero != null && zero == 1);
    }

    private boolean isAdapted() {
        return adapter != null || training.lora().loraRank() > 0;
    }

    private Result run(Backend backend, Progress progress, Division division, Again again, Look look) {
        Setting.of("sync_ref_model")
                .check(
                        !syncs() || !isAdapted(),
                        "needs all weights to be trained, not an adapter, whose reference is the model without it");
        try (ModelFolder start = open(backend, division)) {
            start.notes().forEach(note -> progress.say("calm: " + note));
            Lora lora = start.model().lora();
            if (lora != null && !lora.replaced().isEmpty()) {
                throw CalmException.badInput(
                        adapter,
                        "replaces whole weights (" + String.join(", ", lora.replaced())
                                + "), which are not trained here; merge it into the model (calm convert), and train the result");
            }
            return train(start, progress, division, again, look);
        }
    }

    private ModelFolder open(Backend backend, Division division) {
        if (model == null) {
            ModelConfig shape = ConfigReader.read(config);
            Path folder = config.toAbsolutePath().getParent();
            checkWeights(backend, shape, division);
            Parameters parameters = Parameters.random(backend, shape, seed);
            return ModelFolder.of(folder, new CausalLm(shape, parameters, null));
        }
        if (!isAdapted()) {
            Path shape = model.resolve("config.json");
            if (Files.exists(shape)) {
                checkWeights(backend, ConfigReader.read(shape), division);
            }
            return ModelFolder.openToTrain(backend, model);
        }
        ModelFolder folder = ModelFolder.open(backend, model, adapter);
        ModelConfig shape = folder.model().config();
        return adapter != null
                ? folder
                : folder.withLora(Lora.random(backend, shape, training.lora().of(shape), seed));
    }

    private Result train(ModelFolder start, Progress progress, Division division, Again again, Look look) {
        CausalLm lm = start.model();
        TrainingData whole = new TrainingData(
                start.tokenizer(),
                start.chatTemplate(),
                lm.config().vocabulary().size(),
                lm.config().positions().limit(),
                training.data().truncation(),
                line -> progress.say("calm: " + line));
        Integer most = training.data().maxSamples();
        TrainingData spoken = training.data().applyChatTemplate() ? whole.talking() : whole;
        TrainingData reader = most == null ? spoken : spoken.first(most);
        TrainingData streaming = training.data().streaming() ? reader.streaming() : reader;
        List<? extends Example> all = lines(streaming, data);
        HeldOut parts = training.data().valSize() == null
                ? null
                : HeldOut.of(all.size(), training.data().valSize(), seed);
        List<? extends Example> lines = inBatches(parts == null ? all : HeldOut.of(all, parts.trained()), reader);
        Replay replay = replay(whole);
        Set<TrainingData> readers = Set.copyOf(List.of(whole, reader, streaming));
        int end = start.tokenizer() == null ? -1 : start.tokenizer().eosId();
        if (readers.stream().anyMatch(TrainingData::endsTexts)
                && !lm.config().vocabulary().eos().contains(end)) {
            progress.say("calm: texts end with " + start.tokenizer().token(end) + " (" + end
                    + "), at which generation with this model does not stop: eos_token_id is "
                    + lm.config().vocabulary().eos() + "; the tokenizer's and the model's configuration should agree");
        }
        int steps = training.steps().steps(lines.size());
        if (again != null) {
            Setting.of("step")
                    .check(again.step() >= 1 && again.step() <= steps, "must be from 1 to the run's " + steps);
        }
        List<? extends Example> held = saving.evalSteps() == 0 || look != null
                ? List.of()
                : inBatches(
                        parts == null ? lines(reader, List.of(saving.evalData())) : HeldOut.of(all, parts.held()),
                        reader);
        Trainer.EvalLines looked = look == null ? null : new Trainer.EvalLines(look.questions(start), List.of());
        TrainingSizes sizes = TrainingSizes.of(lines, replay, look == null ? held : looked.lines());
        TrainStage settled = look == null ? settled(lm, sizes, steps, progress, division) : this;
        TrainSettings settings = settled.training.settings(steps, preference, seed);
        RunIdentity identity = new RunIdentity(
                settled.deciding(steps, division), inputs(), settings.schedule(), TrainingOptions.ofSchedule(), FREE);
        agree(division.ranks(), identity, lm.backend());
        List<Trainer.Reference> reference =
                preference == null ? List.of() : reference(division.ranks(), lm, lines, settings, steps, progress);
        TrainingRun run = new TrainingRun(
                output,
                start.weightsFile(),
                identity,
                others(lm.backend()),
                steps,
                saving.saveSteps(),
                saving.saveTotalLimit() == null ? 0 : saving.saveTotalLimit(),
                saving.evaluation(),
                saving.loggingSteps(),
                saving.resume());
        StepLog[] last = new StepLog[1];
        Trainer.EvalLines beside = look == null ? evalLines(division.ranks(), lm, held) : looked;
        try (SyncedReference synced = syncs() ? synced(lm) : null;
                Trainer trainer = new Trainer(lm, settings, lines, replay, reference, beside, sizes, division);
                TensorBoardLog board = again == null && look == null ? board(division.ranks()) : null;
                StepStatistics statistics = look == null ? statistics(start, lines.size()) : null) {
            trainer.refer(synced);
            if (statistics != null) {
                trainer.observe(statistics);
            }
            if (look != null) {
                look.at(trainer, run, steps);
                return null;
            }
            progress.start(name, again == null ? steps : again.step());
            Generations generations = again == null ? generations(division.ranks(), start, steps) : null;
            Consumer<StepLog> took = again == null ? log -> {} : again.took();
            TrainingRun.Watcher watcher = watcher(trainer, last, progress, generations, board, took);
            if (again != null && again.branch() != null) {
                run.branch(trainer, start::save, again.branch(), again.step(), output, watcher);
            } else if (again != null) {
                run.replay(trainer, start::save, again.from(), again.step(), output, watcher);
            } else if (!run.run(trainer, start::save, watcher)) {
                throw new Stopped(
                        last[0] == null
                                ? "stopped before a step was taken"
                                : "stopped after step " + last[0].step() + " of " + steps + ", with a checkpoint in "
                                        + output);
            }
        } finally {
            progress.end();
        }
        TrainingData.Cut cut =
                readers.stream().map(TrainingData::cut).reduce(new TrainingData.Cut(0, 0), TrainingData.Cut::and);
        return new Result(last[0], cut.lines(), cut.tokens());
    }

    /** Null where it is not wanted. */
    private TensorBoardLog board(Ranks ranks) {
        return saving.reportTo() == SavingOptions.ReportTo.TENSORBOARD && ranks.isFirst()
                ? TensorBoardLog.below(output)
                : null;
    }

    /**
     * The same with what is chosen to fit into memory.
     *
     * @throws CalmException failed: it does not fit
     */
    private TrainStage settled(CausalLm lm, TrainingSizes sizes, int steps, Progress progress, Division division) {
        boolean scores = preference != null && !preference.referenceFree();
        TrainingMemory weights = TrainingMemory.of(lm, storedBytes(), sizes, scores, division);
        TrainingMemory memory = syncs() ? weights.following() : weights;
        long available = TrainingMemory.available(lm.backend());
        TrainSettings given = training.settings(steps, preference, seed);
        boolean chooses = training.steps().microBatchSize() == Option.AUTO;
        TrainStage settled = chooses ? inPasses(chosenBefore(), memory, given, available) : this;
        TrainSettings settings = settled.training.settings(steps, preference, seed);
        memory.check(settings, available);
        progress.say("calm: memory: " + memory.plan(settings)
                + (chooses ? "; passes of " + settings.microBatchSize() + " lines, to fit" : ""));
        return settled;
    }

    /** @param before lines of a pass of the run that is resumed, which stay; 0 for none */
    private TrainStage inPasses(int before, TrainingMemory memory, TrainSettings settings, long available) {
        int lines = before > 0 ? before : memory.microBatchSize(settings, available);
        TrainingOptions chosen = Options.with(training, Map.of("micro_batch_size", lines));
        return new TrainStage(name, model, adapter, config, data, output, chosen, preference, saving, inspect, seed);
    }

    private int chosenBefore() {
        Path before = output.resolve(TrainingFolder.CONFIG);
        return saving.resume()
                        && Files.exists(before)
                        && !Checkpoint.all(output).isEmpty()
                ? Json.read(before, JsonNode.class).path("micro_batch_size").asInt()
                : 0;
    }

    /** Bytes of the model's weights in its folder; 0 for a new model. */
    private long storedBytes() {
        if (model == null) {
            return 0;
        }
        try (Stream<Path> files = Files.list(model)) {
            return files.filter(file -> file.toString().endsWith(".safetensors"))
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        } catch (IOException e) {
            throw CalmException.unreadable(model, e);
        }
    }

    /** Weights, gradients and moments alone may be too much, which is known before they are read. */
    private void checkWeights(Backend backend, ModelConfig shape, Division division) {
        TrainingMemory.ofWeights(backend, shape, storedBytes(), division)
                .check(training.settings(1, preference, seed), TrainingMemory.available(backend));
    }

    /** Null where none are wanted. */
    private Generations generations(Ranks ranks, ModelFolder start, int steps) {
        if (saving.generationSteps() == 0 || !ranks.isFirst()) {
            return null;
        }
        Generations generations =
                new Generations(output, start, saving.generationPrompts(), saving.generationSteps(), steps);
        generations.begin();
        return generations;
    }

    /** @param generations null for none, as {@code board} */
    private static TrainingRun.Watcher watcher(
            Trainer trainer,
            StepLog[] last,
            Progress progress,
            Generations generations,
            TensorBoardLog board,
            Consumer<StepLog> took) {
        return new TrainingRun.Watcher() {
            @Override
            public void logged(StepLog step) {
                if (board != null) {
                    board.row(
                            System.currentTimeMillis() * 1e-3,
                            step.step(),
                            Json.mapper().valueToTree(step));
                }
            }

            @Override
            public void took(StepLog step) {
                last[0] = step;
                took.accept(step);
                if (generations != null) {
                    trainer.asModel(() -> generations.took(step.step()));
                }
                if (step.isSkipped()) {
                    say("step " + step.step() + " skipped: loss " + step.loss() + ", gradient norm " + step.gradNorm());
                }
                progress.at(step.step(), note(step));
            }

            @Override
            public void say(String line) {
                progress.say("calm: " + line);
            }

            @Override
            public boolean wantsToStop() {
                return progress.wantsToStop();
            }
        };
    }

    /** Ranks that train together must do the same. */
    private static void agree(Ranks ranks, RunIdentity identity, Backend backend) {
        Map<String, String> facts = new LinkedHashMap<>();
        identity.settings().forEach((name, value) -> facts.put(name, String.valueOf(value)));
        identity.inputs().forEach((name, digest) -> facts.put("the content of " + name, digest));
        facts.put("the device", SameOnAll.device(backend));
        ranks.agree(facts);
    }

    /** Without shares the files are one. */
    private Replay replay(TrainingData reader) {
        List<List<Example.Document>> sources = new ArrayList<>();
        for (Path file : training.replay().files()) {
            sources.add(reader.documents(file));
        }
        return training.replay().replayShares() == null
                ? Replay.of(sources.stream().flatMap(List::stream).toList())
                : new Replay(sources, training.replay().replayShares());
    }

    private List<? extends Example> lines(TrainingData reader, List<Path> files) {
        if (preference == null) {
            return training.data().assistantOnlyLoss()
                    ? reader.all(files, reader::answers)
                    : reader.all(files, reader::documents);
        }
        if (preference.unpaired()) {
            return reader.all(files, reader::unpaired);
        }
        return preference.twoLanguages()
                ? reader.all(files, reader::twoLanguagePairs)
                : reader.all(files, reader::pairs);
    }

    /** With what a loss takes from other lines of the same step. */
    private List<? extends Example> inBatches(List<? extends Example> lines, TrainingData reader) {
        return preference == null || !preference.readsMismatched()
                ? lines
                : Example.Unpaired.mismatched(
                        lines.stream().map(Example.Unpaired.class::cast).toList(),
                        training.steps().batchSize(),
                        reader.longest());
    }

    private Trainer.EvalLines evalLines(Ranks ranks, CausalLm lm, List<? extends Example> lines) {
        if (preference == null || lines.isEmpty()) {
            return new Trainer.EvalLines(lines, List.of());
        }
        if (preference.referenceFree() || syncs()) {
            return new Trainer.EvalLines(lines, Collections.nCopies(lines.size(), Trainer.Reference.NONE));
        }
        try (Reference reference = Reference.open(lm, preference)) {
            return new Trainer.EvalLines(
                    lines,
                    References.of(
                            ranks,
                            reference.model(),
                            lines,
                            null,
                            preference.tailShare(),
                            preference.prompts().sharePrompts(),
                            kept(lm, lines, null, line -> {}),
                            done -> {}));
        }
    }

    /** Null where nothing is measured. */
    private StepStatistics statistics(ModelFolder start, int lines) {
        return inspect == null
                ? null
                : new StepStatistics(
                        inspect,
                        start,
                        data,
                        training.data().maxSamples(),
                        lines,
                        preference != null && !preference.unpaired(),
                        training.steps().batchSize());
    }

    private static String note(StepLog log) {
        String note = String.format(Locale.ROOT, "loss %.4f", log.loss());
        return log.preference() == null || Double.isNaN(log.preference().margins())
                ? note
                : note
                        + String.format(
                                Locale.ROOT, ", margin %.2f", log.preference().margins());
    }

    private List<Trainer.Reference> reference(
            Ranks ranks,
            CausalLm lm,
            List<? extends Example> lines,
            TrainSettings settings,
            int steps,
            Progress progress) {
        if (preference.referenceFree() || syncs()) {
            return Collections.nCopies(lines.size(), Trainer.Reference.NONE);
        }
        boolean[] taken = Trainer.linesOfSteps(lines, settings, steps);
        progress.start(
                "reference",
                (preference.twoLanguages() ? 2 : 1)
                        * (int) IntStream.range(0, taken.length)
                                .filter(i -> taken[i])
                                .count());
        try (Reference reference = Reference.open(lm, preference)) {
            boolean share = settings.packing().sharePrompts();
            KeptLogProbs kept = kept(lm, lines, taken, progress::say);
            return References.of(ranks, reference.model(), lines, taken, settings.ldAlpha(), share, kept, done -> {
                progress.at(done, "");
                progress.mayStop("stopped before the first step");
            });
        } finally {
            progress.end();
        }
    }

    /** Null where the reference's log-probabilities are not kept. */
    private KeptLogProbs kept(CausalLm lm, List<? extends Example> lines, boolean[] taken, Consumer<String> say) {
        if (!preference.reference().precomputeRefLogProbs()) {
            return null;
        }
        List<Path> read = new ArrayList<>();
        read.add(preference.referenceModel() == null ? model : preference.referenceModel());
        read.addAll(given(preference.referenceAdapter()));
        // Bits depend on the device, its vectors and its precision, but not on threads.
        Map<String, Object> settings = Map.of(
                "ld_alpha",
                preference.tailShare(),
                "share_prompts",
                preference.prompts().sharePrompts(),
                "device",
                SameOnAll.device(lm.backend()));
        return KeptLogProbs.of(read, settings, lines, taken, say);
    }

    private boolean syncs() {
        return preference != null && preference.reference().syncRefModel();
    }

    private SyncedReference synced(CausalLm lm) {
        try (Reference start = Reference.open(lm, preference)) {
            if (!start.model().config().equals(lm.config())) {
                throw CalmException.badInput(
                        preference.referenceModel(),
                        "has another shape than the trained model, which it cannot follow");
            }
            return new SyncedReference(
                    start.model(),
                    preference.reference().mixupAlpha(),
                    preference.reference().syncSteps());
        }
    }

    /** Every setting that decides what the steps compute, with its default if it was not given. */
    private Map<String, Object> deciding(int steps, Division division) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("command", name);
        all.put("model", String.valueOf(model == null ? config : model));
        all.put("adapter", adapter);
        all.put("data", data.size() == 1 ? data.getFirst() : data);
        all.put("seed", seed);
        all.put("steps", steps);
        all.putAll(asJson(training));
        all.putAll(training.inForce(steps));
        // Runs of one part are those of versions that knew no parts.
        all.put(Division.PARTS, division.parts() == 1 ? null : division.parts());
        // Of the processes that run now; others may go on without it.
        all.put("zero", null);
        if (preference != null) {
            all.putAll(asJson(preference));
            all.putAll(preference.inForce());
        }
        EvaluationPlan evaluation = saving.evaluation();
        if (evaluation.decides()) {
            all.put("eval_steps", evaluation.steps());
            all.put("metric_for_best_model", evaluation.metric());
            all.put("greater_is_better", evaluation.greaterIsBetter());
            all.put("load_best_model_at_end", evaluation.keepsBest());
            all.put("early_stopping_patience", saving.earlyStoppingPatience());
            all.put("early_stopping_threshold", evaluation.threshold());
        }
        all.values().removeIf(Objects::isNull);
        return all;
    }

    private static Map<String, Object> asJson(Record options) {
        return Json.mapper().convertValue(options, new TypeReference<Map<String, Object>>() {});
    }

    /** Digests of all inputs: whenever it is stopped, the run writes a checkpoint. */
    private Map<String, String> inputs() {
        Map<String, String> inputs = new LinkedHashMap<>();
        Map<String, List<Path>> read = new LinkedHashMap<>();
        Path tokenizer = config == null ? null : config.resolveSibling("tokenizer.json");
        read.put(
                "model",
                model != null
                        ? List.of(model)
                        : Files.exists(tokenizer) ? List.of(config, tokenizer) : List.of(config));
        read.put("adapter", given(adapter));
        read.put("data", data);
        read.put("replay", training.replay().files());
        read.put("eval_data", given(saving.evalSteps() == 0 ? null : saving.evalData()));
        if (preference != null) {
            read.put("reference_model", given(preference.referenceModel()));
            read.put("reference_adapter", given(preference.referenceAdapter()));
        }
        read.forEach((setting, files) -> {
            // What is not a file, such as a pipe, can be read once only.
            if (!files.isEmpty() && files.stream().noneMatch(AtomicFile::isStream)) {
                inputs.put(
                        setting,
                        Fingerprint.of(files.stream().map(Fingerprint::of).toList()));
            }
        });
        return inputs;
    }

    private static List<Path> given(Path path) {
        return path == null ? List.of() : List.of(path);
    }

    private Map<String, Object> others(Backend backend) {
        Map<String, Object> others = new LinkedHashMap<>();
        others.put("save_steps", saving.saveSteps());
        if (saving.saveTotalLimit() != null) {
            others.put("save_total_limit", saving.saveTotalLimit());
        }
        others.put("eval_steps", saving.evalSteps());
        if (saving.evalData() != null) {
            others.put("eval_data", saving.evalData());
        }
        others.put("logging_steps", saving.loggingSteps());
        if (saving.generationSteps() > 0) {
            others.put("generation_steps", saving.generationSteps());
            others.put("generation_prompts", saving.generationPrompts());
        }
        if (inspect != null) {
            others.put("inspect", inspect);
        }
        // The number of threads would make equal runs look different.
        others.put("device", backend.onHost() ? "cpu" : backend.describe());
        return others;
    }
}
