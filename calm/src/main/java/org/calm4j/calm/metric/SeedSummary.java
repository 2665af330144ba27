package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.math3.distribution.TDistribution;
import org.apache.commons.math3.stat.StatUtils;

/**
 * One experiment with several seeds.
 *
 * @param main model ({@code before}, {@code after}, an arm) to its figures on the main questions
 * @param heldOut on held-out questions; may be empty
 */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public record SeedSummary(List<Long> seeds, Map<String, Figures> main, Map<String, Figures> heldOut) {

    /** Null where a figure does not exist, as accuracy without labels. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Figures(Spread accuracy, Spread consistency) {
    }

    /** @param interval of the mean over seeds, by Student's t; null with one seed. It tells of seeds alone, not of the choice of questions */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Spread(double mean, Interval interval, List<Double> values) {
        static Spread of(List<Double> values) {
            double[] all = values.stream().mapToDouble(Double::doubleValue).toArray();
            double mean = StatUtils.mean(all);
            if (all.length < 2) {
                return new Spread(mean, null, values);
            }
            double reach = new TDistribution(all.length - 1).inverseCumulativeProbability((1 + Interval.LEVEL) / 2)
                    * Math.sqrt(StatUtils.variance(all) / all.length);
            return new Spread(mean, new Interval(mean - reach, mean + reach), values);
        }
    }

    /** @param byModel model to its evaluations, one a seed */
    public static Map<String, Figures> figures(Map<String, List<Evaluation>> byModel) {
        Map<String, Figures> figures = new LinkedHashMap<>();
        byModel.forEach((model, all) -> figures.put(model, new Figures(spread(all.stream().map(Evaluation::accuracyMean).toList()),
                spread(all.stream().map(Evaluation::consistency).toList()))));
        return figures;
    }

    private static Spread spread(List<Double> values) {
        List<Double> known = new ArrayList<>();
        for (Double value : values) {
            if (value != null) {
                known.add(value);
            }
        }
        return known.size() < values.size() ? null : Spread.of(known);
    }
}
