package org.calm4j.calm.stage;

import java.util.Locale;
import java.util.function.Consumer;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.train.StepLog;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.TrainingRun;

/** Shows the steps of a run as they are taken: progress, TensorBoard's rows, generations of fixed prompts. */
final class StepWatcher implements TrainingRun.Watcher {
    private final Trainer trainer;
    private final Progress progress;
    private final Generations generations;
    private final TensorBoardLog board;
    private final Consumer<StepLog> took;
    private StepLog last;

    /**
     * @param generations null for none
     * @param board null for none
     * @param took receives the log of each step
     */
    StepWatcher(
            Trainer trainer, Progress progress, Generations generations, TensorBoardLog board, Consumer<StepLog> took) {
        this.trainer = trainer;
        this.progress = progress;
        this.generations = generations;
        this.board = board;
        this.took = took;
    }

    /** The last step's log; null before the first. */
    StepLog last() {
        return last;
    }

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
        last = step;
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

    private static String note(StepLog log) {
        String note = String.format(Locale.ROOT, "loss %.4f", log.loss());
        return log.preference() == null || Double.isNaN(log.preference().margins())
                ? note
                : note
                        + String.format(
                                Locale.ROOT, ", margin %.2f", log.preference().margins());
    }
}
