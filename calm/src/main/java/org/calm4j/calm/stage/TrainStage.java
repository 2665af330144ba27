package org.calm4j.calm.stage;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.calm.option.InspectOptions;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.Stopped;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.DeviceLinks;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.train.Checkpoint;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.RunIdentity;
import org.calm4j.engine.train.StepLog;
import org.calm4j.engine.train.SyncedReference;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.TrainingFolder;
import org.calm4j.engine.train.TrainingRun;
import org.calm4j.engine.train.TrainingSizes;
import org.calm4j.engine.train.Truncation;
import org.calm4j.engine.train.division.Division;

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
    /** Without measurements. */
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
            if (folder != null && !saving.resume()) {
                Checkpoint.refuse(output);
            }
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
        if (recorded == 0 && given == null && ranks.isFirst() && saving.resume()) {
            recorded = TrainingFolder.parts(output);
        }
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

    /** Whether the reference follows the model (TR-DPO). */
    boolean syncs() {
        return preference != null && preference.reference().syncRefModel();
    }

    private boolean isAdapted() {
        return adapter != null || training.lora().loraRank() > 0;
    }

    private Result run(Backend backend, Progress progress, Division division, Again again, Look look) {
        training.check();
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
            new TrainMemory(this, division).checkWeights(backend, shape);
            Parameters parameters = Parameters.random(backend, shape, seed);
            return ModelFolder.of(folder, new CausalLm(shape, parameters, null));
        }
        if (!isAdapted()) {
            Path shape = model.resolve("config.json");
            if (Files.exists(shape)) {
                new TrainMemory(this, division).checkWeights(backend, ConfigReader.read(shape));
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
        Ranks ranks = division.ranks();
        if (preference != null) {
            Reference.check(lm.config(), preference);
        }
        TrainLines lines = new TrainLines(this, start, line -> progress.say("calm: " + line));
        int steps = training.steps().steps(lines.count());
        List<? extends Example> trained = lines.trained(steps);
        if (again != null) {
            Setting.of("step")
                    .check(again.step() >= 1 && again.step() <= steps, "must be from 1 to the run's " + steps);
        }
        List<? extends Example> held = look != null ? List.of() : lines.heldOut();
        Trainer.EvalLines looked = look == null ? null : new Trainer.EvalLines(look.questions(start), List.of());
        TrainingSizes sizes = TrainingSizes.of(trained, lines.replay(), look == null ? held : looked.lines());
        TrainStage settled = look == null ? new TrainMemory(this, division).settled(lm, sizes, steps, progress) : this;
        TrainSettings settings = settled.training.settings(steps, preference, seed);
        RunIdentity identity = new TrainIdentity(settled).of(steps, division, settings.schedule());
        TrainIdentity.agree(ranks, identity, lm.backend());
        if (saving.resume() && ranks.isFirst()) {
            Checkpoint.checkContinues(output, identity);
        }
        if (ranks.size() > 1 && lm.backend() instanceof DeviceLinks links) {
            progress.say("calm: gradients pass between the ranks by "
                    + links.link(ranks).description());
        }
        ReferencePass references = new ReferencePass(this, lm, ranks);
        List<Trainer.Reference> reference = references.ofLines(trained, settings, steps, progress);
        TrainingRun run = new TrainingRun(
                output,
                start.weightsFile(),
                identity,
                new TrainIdentity(this).others(lm.backend()),
                steps,
                saving.saveSteps(),
                saving.saveTotalLimit() == null ? 0 : saving.saveTotalLimit(),
                saving.evaluation(),
                saving.loggingSteps(),
                saving.resume());
        Trainer.EvalLines beside = look == null ? references.heldOut(held) : looked;
        try (SyncedReference synced = references.synced();
                Trainer trainer =
                        new Trainer(lm, settings, trained, lines.replay(), reference, beside, sizes, division);
                TensorBoardLog board = again == null && look == null ? board(ranks) : null;
                StepStatistics statistics = look == null ? statistics(start, lines.count()) : null) {
            trainer.refer(synced);
            if (statistics != null) {
                trainer.observe(statistics);
            }
            if (look != null) {
                look.at(trainer, run, steps);
                return null;
            }
            int last = again == null ? steps : again.step();
            Path from = again == null ? saving.resume() ? output : null : again.from();
            progress.start(name, last, from == null ? 0 : Checkpoint.taken(from, last));
            Generations generations = again == null ? generations(ranks, start, steps) : null;
            Consumer<StepLog> took = again == null ? log -> {} : again.took();
            StepWatcher watcher = new StepWatcher(trainer, progress, generations, board, took);
            if (again != null && again.branch() != null) {
                run.branch(trainer, start::save, again.branch(), again.step(), output, watcher);
            } else if (again != null) {
                run.replay(trainer, start::save, again.from(), again.step(), output, watcher);
            } else if (!run.run(trainer, start::save, watcher)) {
                throw new Stopped(
                        watcher.last() == null
                                ? "stopped before a step was taken"
                                : "stopped after step " + watcher.last().step() + " of " + steps
                                        + ", with a checkpoint in " + output);
            }
            TrainingData.Cut cut = lines.cut();
            return new Result(watcher.last(), cut.lines(), cut.tokens());
        } finally {
            progress.end();
        }
    }

    /** Null where it is not wanted. */
    private TensorBoardLog board(Ranks ranks) {
        return saving.reportTo() == SavingOptions.ReportTo.TENSORBOARD && ranks.isFirst()
                ? TensorBoardLog.below(output)
                : null;
    }

    /** Null where none are wanted. */
    private Generations generations(Ranks ranks, ModelFolder start, int steps) {
        if (saving.generationSteps() == 0 || !ranks.isFirst()) {
            return null;
        }
        Generations generations =
                new Generations(output, start, saving.generationPrompts(), saving.generationSteps(), steps);
        generations.begin(Checkpoint.newest(output) != null);
        return generations;
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
}
