package org.calm4j.calm.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.commons.math3.distribution.TDistribution;
import org.apache.commons.math3.stat.StatUtils;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Interval;
import org.calm4j.calm.metric.SeedSummary;

/**
 * How the gradients of the languages' lines lie to each other while a model is trained, from what {@code inspect} left in its
 * metrics.jsonl. A measured step counts once, by its mean over pairs of languages: pairs of one step share their gradients.
 *
 * @param measured the steps that have cosines
 * @param all over the measured steps
 * @param first those in the first quarter of the run's steps; null where none is
 * @param last the same for its last quarter
 * @param change of the last quarter since the first; its interval is Welch's, null where a quarter has fewer than two; null without both
 * @param pairs by name
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record LanguageGradients(
        List<Measured> measured,
        SeedSummary.Spread all,
        SeedSummary.Spread first,
        SeedSummary.Spread last,
        Comparison.Change change,
        List<PairOfLanguages> pairs) {
    private static final String COSINE = "inspect/gradient_cosine/";
    private static final String MARGIN = "inspect/margins/";

    /**
     * @param mean over pairs of languages
     * @param cosines by pair of languages, such as {@code en_ja}
     * @param margins by language; empty where none were measured
     */
    public record Measured(int step, double mean, Map<String, Double> cosines, Map<String, Double> margins) {}

    /**
     * @param n steps in which both languages had lines that were looked at
     * @param first null where the quarter has none, as {@code last}
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record PairOfLanguages(String name, int n, double mean, Double first, Double last) {}

    /** Null where no step has cosines. */
    public static LanguageGradients of(TrainingLog log) {
        List<Measured> measured = new ArrayList<>();
        int steps = 0;
        for (Map<String, Double> row : log.rows()) {
            Double step = row.get("step");
            if (step == null) {
                continue;
            }
            steps = Math.max(steps, step.intValue());
            Map<String, Double> cosines = below(COSINE, row);
            if (!cosines.isEmpty()) {
                measured.add(new Measured(step.intValue(), mean(cosines), cosines, below(MARGIN, row)));
            }
        }
        return measured.isEmpty() ? null : of(measured, steps);
    }

    private static LanguageGradients of(List<Measured> measured, int steps) {
        int quarter = steps / 4;
        int late = steps - quarter;
        List<Double> first = new ArrayList<>();
        List<Double> last = new ArrayList<>();
        // By pair of languages: of all measured steps, of the first quarter, of the last.
        Map<String, List<DoubleSummaryStatistics>> pairs = new TreeMap<>();
        for (Measured each : measured) {
            boolean early = each.step <= quarter;
            if (early) {
                first.add(each.mean);
            } else if (each.step > late) {
                last.add(each.mean);
            }
            each.cosines.forEach((name, cosine) -> {
                List<DoubleSummaryStatistics> own = pairs.computeIfAbsent(
                        name,
                        none -> List.of(
                                new DoubleSummaryStatistics(),
                                new DoubleSummaryStatistics(),
                                new DoubleSummaryStatistics()));
                own.get(0).accept(cosine);
                if (early) {
                    own.get(1).accept(cosine);
                } else if (each.step > late) {
                    own.get(2).accept(cosine);
                }
            });
        }
        List<PairOfLanguages> table = new ArrayList<>();
        pairs.forEach((name, own) -> table.add(new PairOfLanguages(
                name, (int) own.get(0).getCount(), own.get(0).getAverage(), mean(own.get(1)), mean(own.get(2)))));
        return new LanguageGradients(
                measured,
                SeedSummary.Spread.of(measured.stream().map(Measured::mean).toList()),
                first.isEmpty() ? null : SeedSummary.Spread.of(first),
                last.isEmpty() ? null : SeedSummary.Spread.of(last),
                first.isEmpty() || last.isEmpty() ? null : change(first, last),
                table);
    }

    private static Map<String, Double> below(String prefix, Map<String, Double> row) {
        Map<String, Double> found = new LinkedHashMap<>();
        row.forEach((key, value) -> {
            if (key.startsWith(prefix) && Double.isFinite(value)) {
                found.put(key.substring(prefix.length()), NumberText.digits(value, 5));
            }
        });
        return found;
    }

    private static double mean(Map<String, Double> values) {
        return values.values().stream()
                .mapToDouble(Double::doubleValue)
                .average()
                .orElseThrow();
    }

    private static Double mean(DoubleSummaryStatistics values) {
        return values.getCount() == 0 ? null : values.getAverage();
    }

    /** Welch (1947), with Satterthwaite's degrees of freedom. */
    static Comparison.Change change(List<Double> before, List<Double> after) {
        double[] one = before.stream().mapToDouble(Double::doubleValue).toArray();
        double[] other = after.stream().mapToDouble(Double::doubleValue).toArray();
        double difference = StatUtils.mean(other) - StatUtils.mean(one);
        if (one.length < 2 || other.length < 2) {
            return new Comparison.Change(difference, null);
        }
        double a = StatUtils.variance(one) / one.length;
        double b = StatUtils.variance(other) / other.length;
        double freedom = (a + b) * (a + b) / (a * a / (one.length - 1) + b * b / (other.length - 1));
        double reach = a + b == 0
                ? 0
                : new TDistribution(freedom).inverseCumulativeProbability((1 + Interval.LEVEL) / 2) * Math.sqrt(a + b);
        return new Comparison.Change(difference, new Interval(difference - reach, difference + reach));
    }
}
