package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.train.Schedule;
import org.calm4j.engine.train.TrainSettings;
import picocli.CommandLine.Option;

/** The options of sft and pretrain, which dpo has too; on the command line, in a YAML file and in {@code train_config.json} by the same names. */
@JsonAutoDetect(fieldVisibility = JsonAutoDetect.Visibility.ANY, getterVisibility = JsonAutoDetect.Visibility.NONE)
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public class TrainingOptions {
    @Option(names = "--max-steps", paramLabel = "N", description = "Optimizer steps, over epochs; instead of --epochs.")
    public Integer maxSteps;

    @Option(
            names = "--epochs",
            paramLabel = "N",
            defaultValue = "1",
            description = "Times through the data; default ${DEFAULT-VALUE}.")
    public double epochs = 1;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "8",
            description = "Lines (sequences or pairs) an optimizer step; default ${DEFAULT-VALUE}.")
    public int batchSize = 8;

    @Option(
            names = "--micro-batch-size",
            paramLabel = "N",
            defaultValue = "0",
            description = "Lines a forward and backward pass; 0 (default): as many as fit into 4096 tokens.")
    public int microBatchSize;

    @Option(
            names = "--learning-rate",
            paramLabel = "X",
            defaultValue = "5e-5",
            description = "Peak learning rate; default ${DEFAULT-VALUE}.")
    public double learningRate = 5e-5;

    @Option(
            names = "--lr-scheduler",
            paramLabel = "constant|linear|cosine",
            defaultValue = "linear",
            description = "The learning rate after the warm-up; default ${DEFAULT-VALUE}.")
    public Schedule.Kind lrScheduler = Schedule.Kind.LINEAR;

    @Option(
            names = "--min-lr-rate",
            paramLabel = "X",
            defaultValue = "0",
            description = "Where linear and cosine end, as a share of the peak; default ${DEFAULT-VALUE}.")
    public double minLrRate;

    @Option(names = "--warmup-steps", paramLabel = "N", description = "Steps from 0 to the peak; default: none.")
    public Integer warmupSteps;

    @Option(
            names = "--warmup-ratio",
            paramLabel = "X",
            defaultValue = "0",
            description = "The same as a share of all steps; default ${DEFAULT-VALUE}.")
    public double warmupRatio;

    @Option(
            names = "--weight-decay",
            paramLabel = "X",
            defaultValue = "0",
            description = "Decoupled, for weights of two dimensions or more; default ${DEFAULT-VALUE}.")
    public double weightDecay;

    @Option(names = "--adam-beta1", paramLabel = "X", defaultValue = "0.9", description = "Default ${DEFAULT-VALUE}.")
    public double adamBeta1 = 0.9;

    @Option(names = "--adam-beta2", paramLabel = "X", defaultValue = "0.999", description = "Default ${DEFAULT-VALUE}.")
    public double adamBeta2 = 0.999;

    @Option(
            names = "--adam-epsilon",
            paramLabel = "X",
            defaultValue = "1e-8",
            description = "Default ${DEFAULT-VALUE}.")
    public double adamEpsilon = 1e-8;

    @Option(
            names = "--max-grad-norm",
            paramLabel = "X",
            defaultValue = "1",
            description = "Global norm that gradients are clipped to; 0: no clipping; default ${DEFAULT-VALUE}.")
    public double maxGradNorm = 1;

    @Option(
            names = "--lora-rank",
            paramLabel = "N",
            defaultValue = "0",
            description = "Rank of a new adapter; 0 (default): all weights.")
    public int loraRank;

    @Option(names = "--lora-alpha", paramLabel = "X", description = "Default: twice the rank.")
    public Double loraAlpha;

    @Option(
            names = "--lora-targets",
            paramLabel = "NAMES",
            split = ",",
            defaultValue = "all-linear",
            description = "all-linear (default), or q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj.")
    public List<String> loraTargets = List.of("all-linear");

    @Option(names = "--lora-dropout", paramLabel = "X", defaultValue = "0", description = "Default ${DEFAULT-VALUE}.")
    public double loraDropout;

    @Option(names = "--gradient-checkpointing", description = "Less memory, one more forward pass.")
    public boolean gradientCheckpointing;

    @Option(names = "--no-shuffle", description = "Take the lines in file order.")
    public boolean noShuffle;

    @Option(
            names = "--save-steps",
            paramLabel = "N",
            defaultValue = "0",
            description = "Steps between checkpoints; 0 (default): none.")
    @JsonIgnore
    public int saveSteps;

    @Option(
            names = "--eval-steps",
            paramLabel = "N",
            defaultValue = "0",
            description = "Steps between losses on --eval-data; 0 (default): none.")
    @JsonIgnore
    public int evalSteps;

    @Option(names = "--eval-data", paramLabel = "F.jsonl", description = "Lines that are scored and not trained on.")
    @JsonIgnore
    public Path evalData;

    @Option(
            names = "--logging-steps",
            paramLabel = "N",
            defaultValue = "1",
            description = "Steps between lines of metrics.jsonl; default 1.")
    @JsonIgnore
    public int loggingSteps = 1;

    @Option(
            names = "--resume",
            description =
                    "Go on from the newest checkpoint of the output folder, with the same data and models, whatever they are called.")
    @JsonIgnore
    public boolean resume;

    @Option(
            names = "--replay",
            paramLabel = "FILE",
            arity = "1..*",
            description = "Documents whose cross-entropy every step adds, against forgetting; of one file or several.")
    @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
    public List<Path> replay;

    @Option(
            names = "--replay-shares",
            paramLabel = "X",
            split = ",",
            description = "Of a step's documents, how many each file gives, such as 3,1; default: as many as it has.")
    @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
    public List<Double> replayShares;

    @Option(names = "--replay-weight", paramLabel = "W", defaultValue = "1", description = "Default ${DEFAULT-VALUE}.")
    public double replayWeight = 1;

    @Option(
            names = "--replay-batch-size",
            paramLabel = "N",
            defaultValue = "8",
            description = "Documents a step; default ${DEFAULT-VALUE}.")
    public int replayBatchSize = 8;

    /** @throws CalmException wrong usage: a value out of its range */
    public void check() {
        check(maxSteps == null || maxSteps > 0, "--max-steps must be at least 1");
        check(epochs > 0, "--epochs must be above 0");
        check(batchSize > 0, "--batch-size must be at least 1");
        check(microBatchSize >= 0, "--micro-batch-size must be at least 0");
        check(learningRate >= 0, "--learning-rate must be at least 0");
        check(warmupSteps == null || warmupSteps >= 0, "--warmup-steps must be at least 0");
        check(warmupRatio >= 0 && warmupRatio <= 1, "--warmup-ratio must be from 0 to 1");
        check(minLrRate >= 0 && minLrRate <= 1, "--min-lr-rate must be from 0 to 1");
        check(weightDecay >= 0, "--weight-decay must be at least 0");
        check(adamBeta1 >= 0 && adamBeta1 < 1, "--adam-beta1 must be from 0 to below 1");
        check(adamBeta2 >= 0 && adamBeta2 < 1, "--adam-beta2 must be from 0 to below 1");
        check(adamEpsilon > 0, "--adam-epsilon must be above 0");
        check(maxGradNorm >= 0, "--max-grad-norm must be at least 0");
        check(loraRank >= 0, "--lora-rank must be at least 0");
        check(loraDropout >= 0 && loraDropout < 1, "--lora-dropout must be from 0 to below 1");
        check(
                saveSteps >= 0 && evalSteps >= 0 && loggingSteps > 0,
                "--save-steps, --eval-steps: at least 0; --logging-steps: at least 1");
        check(evalSteps == 0 || evalData != null, "--eval-steps needs --eval-data");
        check(replayBatchSize > 0, "--replay-batch-size must be at least 1");
        check(
                replayShares == null
                        || replay != null
                                && replayShares.size() == replay.size()
                                && replayShares.stream().allMatch(share -> share > 0),
                "--replay-shares must be one number above 0 for each file of --replay");
        check(replayWeight >= 0, "--replay-weight must be at least 0");
    }

    public static void check(boolean right, String problem) {
        if (!right) {
            throw CalmException.usage(problem);
        }
    }

    /** All steps of a run over so many lines. */
    public int steps(int lines) {
        int perEpoch = (lines + batchSize - 1) / batchSize;
        return maxSteps != null ? maxSteps : (int) Math.ceil(epochs * perEpoch);
    }

    /** The loss on preference pairs; null where no pairs are trained. */
    PreferenceLoss loss() {
        return null;
    }

    /** The loss on pairs in two languages; null where none are trained. */
    ConsistencyLoss consistencyLoss() {
        return null;
    }

    /** What rewards are logged with. */
    double rewardScale() {
        return 0;
    }

    private int warmup(int steps) {
        return warmupSteps != null ? warmupSteps : (int) Math.ceil(warmupRatio * steps);
    }

    private double alpha() {
        return loraAlpha == null ? 2 * loraRank : loraAlpha;
    }

    /** By name, what holds where an option has no value of its own; null for an option that another one replaces. */
    public Map<String, Object> inForce(int steps) {
        Map<String, Object> inForce = new HashMap<>();
        inForce.put("warmup_steps", warmup(steps));
        inForce.put("lora_alpha", loraRank == 0 ? null : alpha());
        inForce.put("epochs", maxSteps != null ? null : epochs);
        return inForce;
    }

    public TrainSettings settings(int steps, long seed) {
        return new TrainSettings(
                batchSize,
                microBatchSize,
                !noShuffle,
                new Schedule(lrScheduler, learningRate, minLrRate, warmup(steps), steps),
                new AdamW(adamBeta1, adamBeta2, adamEpsilon),
                weightDecay,
                maxGradNorm,
                loss(),
                consistencyLoss(),
                rewardScale(),
                replay == null || replay.isEmpty() ? 0 : replayBatchSize,
                replayWeight,
                gradientCheckpointing,
                seed);
    }

    public LoraSettings lora(ModelConfig model) {
        return new LoraSettings(
                loraRank, alpha(), loraDropout, false, model.layout().projections(loraTargets));
    }
}
