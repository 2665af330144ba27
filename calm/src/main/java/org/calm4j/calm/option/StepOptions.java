package org.calm4j.calm.option;

import org.calm4j.engine.Setting;

/** How many lines a step takes, and how many steps there are. */
@OptionRecord("Length of the run")
public record StepOptions(
        @Option(value = "Optimizer steps, over epochs; instead of {epochs}.", label = "N")
        Integer maxSteps,

        @Option(
                value = "Passes through the data; default ${DEFAULT-VALUE}.",
                label = "N",
                standard = "1",
                also = "num_train_epochs")
        double epochs,

        @Option(
                value = "Lines (sequences or pairs) per optimizer step; default ${DEFAULT-VALUE}.",
                label = "N",
                standard = "" + StepOptions.BATCH)
        int batchSize,

        @Option(
                value =
                        "Lines per forward and backward pass; 0 (default): as many as fit into 4096 tokens; auto: as many as fit into memory.",
                label = "N|auto",
                standard = "0",
                auto = true)
        int microBatchSize,

        @Option(
                value = "As in TRL: lines per pass. {batch_size} is this times {gradient_accumulation_steps}.",
                label = "N",
                later = true)
        Integer perDeviceTrainBatchSize,

        @Option(value = "As in TRL: passes per optimizer step.", label = "N", later = true)
        Integer gradientAccumulationSteps) {
    private static final int BATCH = 8;

    public StepOptions {
        Setting.of("max_steps").check(maxSteps == null || maxSteps > 0, "must be at least 1");
        Setting.of("epochs").check(epochs > 0, "must be above 0");
        Setting.of("batch_size").check(batchSize > 0, "must be at least 1");
        Setting.of("micro_batch_size")
                .check(microBatchSize >= 0 || microBatchSize == Option.AUTO, "must be auto or at least 0");
        if (perDeviceTrainBatchSize != null || gradientAccumulationSteps != null) {
            int pass = perDeviceTrainBatchSize == null ? BATCH : perDeviceTrainBatchSize;
            int passes = gradientAccumulationSteps == null ? 1 : gradientAccumulationSteps;
            Setting.of("per_device_train_batch_size").check(pass > 0, "must be at least 1");
            Setting.of("gradient_accumulation_steps").check(passes > 0, "must be at least 1");
            Setting.of("batch_size")
                    .check(
                            batchSize == BATCH || batchSize == (long) pass * passes,
                            "is " + batchSize + ", and ",
                            Setting.of("per_device_train_batch_size"),
                            " times ",
                            Setting.of("gradient_accumulation_steps"),
                            " is " + (long) pass * passes + "; give one of them");
            batchSize = Math.multiplyExact(pass, passes);
            microBatchSize = microBatchSize == 0 ? pass : microBatchSize;
            // Stored once, under the names above.
            perDeviceTrainBatchSize = null;
            gradientAccumulationSteps = null;
        }
    }

    /** All steps of a run over this many lines. */
    public int steps(int lines) {
        int perEpoch = (lines + batchSize - 1) / batchSize;
        return maxSteps != null ? maxSteps : (int) Math.ceil(epochs * perEpoch);
    }
}
