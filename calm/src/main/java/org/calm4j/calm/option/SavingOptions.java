package org.calm4j.calm.option;

import java.nio.file.Path;
import org.calm4j.engine.Setting;

/** What a training run writes, and whether it resumes; nothing here decides what it learns. */
@OptionRecord
public record SavingOptions(
        @Option(value = "Steps between checkpoints; 0 (default): none.", label = "N", standard = "0")
        int saveSteps,

        @Option(value = "Steps between losses on {eval_data}; 0 (default): none.", label = "N", standard = "0")
        int evalSteps,

        @Option(value = "Lines that are evaluated and not trained on.", label = "FILE")
        Path evalData,

        @Option(value = "Steps between lines of metrics.jsonl; default ${DEFAULT-VALUE}.", label = "N", standard = "1")
        int loggingSteps,

        @Option(
                "Continue from the newest checkpoint of the output folder, with the same data and models, whatever their names. "
                        + "{max_steps} or {epochs} may be more where the learning rates of the steps taken stay the same.")
        boolean resume) {
    public SavingOptions {
        Setting.of("save_steps").check(saveSteps >= 0, "must be at least 0");
        Setting.of("eval_steps").check(evalSteps >= 0, "must be at least 0");
        Setting.of("logging_steps").check(loggingSteps > 0, "must be at least 1");
        Setting.of("eval_steps").check(evalSteps == 0 || evalData != null, "needs ", Setting.of("eval_data"));
    }

    /** Checkpoints and nothing else. */
    public static SavingOptions every(int saveSteps, boolean resume) {
        return new SavingOptions(saveSteps, 0, null, 1, resume);
    }
}
