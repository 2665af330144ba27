package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.apache.commons.math3.distribution.TDistribution;
import org.apache.commons.math3.stat.StatUtils;
import org.apache.commons.math3.stat.inference.TTest;

/**
 * One experiment with several seeds, measured on one set of questions.
 *
 * @param models {@code before}, {@code after} or an arm, to its figures over the seeds
 * @param against {@code before} or an arm, to the gain of {@code after} over it
 */
public record SeedSummary(Map<String, Figures> models, Map<String, Gains> against) {

    /** Null where a figure does not exist, as accuracy without labels. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Figures(@JsonProperty("accuracy_mean") Spread accuracyMean, Spread consistency, Spread unanswered) {}

    /** Null where a figure does not exist. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Gains(@JsonProperty("accuracy_mean") Gain accuracyMean, Gain consistency) {}

    /**
     * @param deviation standard deviation over seeds (divided by n − 1); null with one seed
     * @param interval of the mean over seeds, by Student's t; null with one seed. It covers seeds alone, not the choice of questions
     * @param values one a seed, in their order
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Spread(double mean, Double deviation, Interval interval, List<Double> values) {
        public static Spread of(List<Double> values) {
            double[] all = values.stream().mapToDouble(Double::doubleValue).toArray();
            double mean = StatUtils.mean(all);
            if (all.length < 2) {
                return new Spread(mean, null, null, values);
            }
            double deviation = Math.sqrt(StatUtils.variance(all));
            double reach = new TDistribution(all.length - 1).inverseCumulativeProbability((1 + Interval.LEVEL) / 2)
                    * deviation
                    / Math.sqrt(all.length);
            return new Spread(mean, deviation, new Interval(mean - reach, mean + reach), values);
        }
    }

    /**
     * A difference over seeds.
     *
     * @param pValue Student's t test of the seeds' differences against zero, two-sided; null with one seed or where all are equal
     * @param seeds each seed's own difference, with the interval of its paired bootstrap over questions
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Gain(
            Spread difference, @JsonProperty("p_value") Double pValue, List<Comparison.Change> seeds) {
        static Gain of(List<Comparison.Change> seeds) {
            Spread spread =
                    Spread.of(seeds.stream().map(Comparison.Change::difference).toList());
            boolean testable = spread.deviation != null && spread.deviation > 0;
            return new Gain(
                    spread,
                    testable
                            ? new TTest()
                                    .tTest(
                                            0,
                                            spread.values.stream()
                                                    .mapToDouble(Double::doubleValue)
                                                    .toArray())
                            : null,
                    seeds);
        }
    }

    /**
     * @param models model to its evaluations, one a seed
     * @param against model to how {@code after} compares with it, one a seed
     */
    public static SeedSummary of(Map<String, List<Evaluation>> models, Map<String, List<Comparison>> against) {
        Map<String, Figures> figures = new LinkedHashMap<>();
        models.forEach((model, all) -> figures.put(
                model,
                new Figures(
                        each(all, Evaluation::accuracyMean, Spread::of),
                        each(all, Evaluation::consistency, Spread::of),
                        each(all, Evaluation::unanswered, Spread::of))));
        Map<String, Gains> gains = new LinkedHashMap<>();
        against.forEach((model, all) -> gains.put(
                model,
                new Gains(
                        each(all, Comparison::accuracyMean, Gain::of), each(all, Comparison::consistency, Gain::of))));
        return new SeedSummary(figures, gains);
    }

    /** Null where one seed lacks the figure. */
    private static <T, V, R> R each(List<T> all, Function<T, V> figure, Function<List<V>, R> over) {
        List<V> values = all.stream().map(figure).filter(Objects::nonNull).toList();
        return values.size() < all.size() ? null : over.apply(values);
    }
}
