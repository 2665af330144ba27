package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonValue;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.calm4j.engine.Setting;
import org.calm4j.engine.train.EvaluationPlan;

/** What a training run writes, when it is evaluated, and whether it resumes. */
@OptionRecord("Checkpoints, evaluation and logs")
public record SavingOptions(
        @Option(value = "Steps between checkpoints; 0 (default): none.", label = "N", standard = "0")
        int saveSteps,

        @Option(
                value = "The newest checkpoints that are kept, besides that of the best model; default: all.",
                label = "N",
                later = true)
        Integer saveTotalLimit,

        @Option(value = "Steps between evaluations on {eval_data}; 0 (default): none.", label = "N", standard = "0")
        int evalSteps,

        @Option(value = "Lines that are evaluated and not trained on.", label = "FILE")
        Path evalData,

        @Option(value = "End with the model of the best evaluation, not with the last one.", later = true)
        boolean loadBestModelAtEnd,

        @Option(
                value =
                        "The metric of the evaluation that says which is the best, with or without eval_ before it; default ${DEFAULT-VALUE}.",
                label = "NAME",
                standard = EvaluationPlan.LOSS,
                later = true)
        String metricForBestModel,

        @Option(
                value = "Whether more of it is better, true or false; default: unless its name ends with loss.",
                label = "BOOL",
                later = true)
        Boolean greaterIsBetter,

        @Option(
                value = "Evaluations in a row without a better one that end the run; default: any number.",
                label = "N",
                later = true)
        Integer earlyStoppingPatience,

        @Option(
                value =
                        "By how much an evaluation must be better to count for {early_stopping_patience}; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0",
                later = true)
        double earlyStoppingThreshold,

        @Option(value = "Steps between lines of metrics.jsonl; default ${DEFAULT-VALUE}.", label = "N", standard = "1")
        int loggingSteps,

        @Option(
                value =
                        "Steps between greedy completions of {generation_prompts} in generations.jsonl; 0 (default): none.",
                label = "N",
                standard = "0")
        int generationSteps,

        @Option(value = "Prompts, lines as for generate.", label = "FILE")
        Path generationPrompts,

        @Option(
                value =
                        "Where the lines of metrics.jsonl go besides: event files in runs/ below the output; default ${DEFAULT-VALUE}.",
                standard = "none",
                later = true)
        ReportTo reportTo,

        @Option(
                "Continue from the newest checkpoint of the output folder, with the same data and models, whatever their names. "
                        + "{max_steps} or {epochs} may be more where the learning rates of the steps taken stay the same.")
        boolean resume) {
    /** Programs that draw metrics. */
    public enum ReportTo {
        NONE,
        TENSORBOARD;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** @throws org.calm4j.engine.CalmException wrong usage: nothing to evaluate, or two things */
    public void checkEvaluated(DataOptions data) {
        Setting.of("eval_steps")
                .check(
                        evalSteps == 0 || evalData != null || data.valSize() != null,
                        "needs ",
                        Setting.of("eval_data"),
                        " or ",
                        Setting.of("val_size"));
        Setting.of("val_size")
                .check(evalData == null || data.valSize() == null, "does not go with ", Setting.of("eval_data"));
    }

    public SavingOptions {
        Setting.of("save_steps").check(saveSteps >= 0, "must be at least 0");
        Setting.of("eval_steps").check(evalSteps >= 0, "must be at least 0");
        Setting.of("logging_steps").check(loggingSteps > 0, "must be at least 1");
        Setting.of("generation_steps").check(generationSteps >= 0, "must be at least 0");
        Setting.of("generation_steps")
                .check(generationSteps == 0 || generationPrompts != null, "needs ", Setting.of("generation_prompts"));
        Setting.of("save_total_limit").check(saveTotalLimit == null || saveTotalLimit > 0, "must be at least 1");
        Setting.of("load_best_model_at_end")
                .check(!loadBestModelAtEnd || evalSteps > 0, "needs ", Setting.of("eval_steps"));
        Setting.of("early_stopping_patience")
                .check(earlyStoppingPatience == null || earlyStoppingPatience > 0, "must be at least 1");
        Setting.of("early_stopping_patience")
                .check(earlyStoppingPatience == null || evalSteps > 0, "needs ", Setting.of("eval_steps"));
        Setting.of("early_stopping_threshold").check(earlyStoppingThreshold >= 0, "must be at least 0");
        Setting.of("early_stopping_threshold")
                .check(
                        earlyStoppingThreshold == 0 || earlyStoppingPatience != null,
                        "needs ",
                        Setting.of("early_stopping_patience"));
        metricForBestModel = metricForBestModel.replaceFirst("^eval_", "");
    }

    public EvaluationPlan evaluation() {
        return new EvaluationPlan(
                evalSteps,
                metricForBestModel,
                greaterIsBetter != null ? greaterIsBetter : !metricForBestModel.endsWith(EvaluationPlan.LOSS),
                loadBestModelAtEnd,
                earlyStoppingPatience == null ? 0 : earlyStoppingPatience,
                earlyStoppingThreshold);
    }

    /** Checkpoints and nothing else. */
    public static SavingOptions every(int saveSteps, boolean resume) {
        return every(saveSteps, resume, 0, null);
    }

    /** The same with completions of prompts on the way. */
    public static SavingOptions every(int saveSteps, boolean resume, int generationSteps, Path prompts) {
        Map<String, Object> given =
                new HashMap<>(Map.of("save_steps", saveSteps, "resume", resume, "generation_steps", generationSteps));
        given.put("generation_prompts", prompts);
        return Options.make(SavingOptions.class, given);
    }
}
