package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.lang.reflect.RecordComponent;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;

/**
 * When a run is evaluated on lines that it is not trained on, and what follows; the rules of transformers' Trainer and its
 * EarlyStoppingCallback.
 *
 * @param steps between evaluations; 0 for none
 * @param metric of the evaluation, such as {@code loss} or {@code rewards/accuracies}, that says which model is the best
 * @param keepsBest whether the run ends with the best model, not with the last one
 * @param patience evaluations in a row without a better one that end the run; 0 for any number
 * @param threshold by which an evaluation is to be better to count for the patience
 */
public record EvaluationPlan(
        int steps, String metric, boolean greaterIsBetter, boolean keepsBest, int patience, double threshold) {
    public static final String LOSS = "loss";
    public static final EvaluationPlan NONE = every(0);
    private static final String PREFIX = "eval_";

    /** Evaluations from which nothing follows. */
    public static EvaluationPlan every(int steps) {
        return new EvaluationPlan(steps, LOSS, false, false, 0, 0);
    }

    /** Whether anything follows from an evaluation. */
    public boolean decides() {
        return keepsBest || patience > 0;
    }

    boolean isDue(int step) {
        return steps > 0 && step % steps == 0;
    }

    /**
     * The value that says how good the model of a step is.
     *
     * @throws CalmException failed: the evaluation has no such value
     */
    double value(StepLog step) {
        Map<?, ?> metrics = Json.mapper().convertValue(step, Map.class);
        if (metrics.get(PREFIX + metric) instanceof Number value) {
            return value.doubleValue();
        }
        // Values that are not finite are not written.
        if (names(true).contains(metric) && step.evalLoss() != null) {
            return Double.NaN;
        }
        throw unknown(metrics.keySet().stream()
                .map(String::valueOf)
                .filter(name -> name.startsWith(PREFIX))
                .map(name -> name.substring(PREFIX.length()))
                .toList());
    }

    /**
     * Finds a wrong name before the first step.
     *
     * @throws CalmException wrong usage: an evaluation of such lines has no such metric
     */
    public void check(boolean pairs) {
        if (decides() && !names(pairs).contains(metric)) {
            throw unknown(names(pairs));
        }
    }

    private CalmException unknown(List<String> known) {
        return CalmException.usage(
                Setting.of("metric_for_best_model").at(metric),
                " is not a metric here; known: " + String.join(", ", known));
    }

    private static List<String> names(boolean pairs) {
        Stream<RecordComponent> metrics = Stream.concat(
                pairs ? Stream.of(StepLog.Preference.class.getRecordComponents()) : Stream.empty(),
                Stream.of(TokenMetrics.class.getRecordComponents()));
        return Stream.concat(Stream.of(LOSS), metrics.map(EvaluationPlan::name))
                .filter(name -> pairs || !name.startsWith("logits/"))
                .toList();
    }

    private static String name(RecordComponent metric) {
        JsonProperty name = metric.getAccessor().getAnnotation(JsonProperty.class);
        return name == null ? metric.getName() : name.value();
    }
}
