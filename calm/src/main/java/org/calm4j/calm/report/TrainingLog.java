package org.calm4j.calm.report;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.io.Jsonl;

/**
 * What one training run wrote into its metrics.jsonl.
 *
 * @param name of the run, such as {@code pretrain} or {@code dpo}
 * @param rows one a step: {@code step}, {@code loss}, {@code grad_norm}, {@code rewards/margins} … to number
 */
public record TrainingLog(String name, List<Map<String, Double>> rows) {
    /** CALM's own run. */
    public static final String CALM = "dpo";

    private static final int POINTS = 400;

    /** @throws org.calm4j.engine.CalmException bad input: no such file, or a broken line */
    public static TrainingLog read(String name, Path metrics) {
        List<Map<String, Double>> rows = new ArrayList<>();
        for (Map<String, Object> line : Jsonl.readMaps(metrics)) {
            Map<String, Double> row = new LinkedHashMap<>();
            line.forEach((key, value) -> {
                // The speed differs between runs, and equal runs have equal reports.
                if (value instanceof Number number && !key.equals("tokens_per_second")) {
                    row.put(key, number.doubleValue());
                }
            });
            rows.add(row);
        }
        return new TrainingLog(name, rows);
    }

    /** At most {@value #POINTS} rows, each the mean of a stretch of steps and named by its last step, with 5 digits. */
    TrainingLog thinned() {
        int stretch = Math.max(1, Math.ceilDiv(rows.size(), POINTS));
        List<Map<String, Double>> thin = new ArrayList<>();
        for (int from = 0; from < rows.size(); from += stretch) {
            thin.add(mean(rows.subList(from, Math.min(rows.size(), from + stretch))));
        }
        return new TrainingLog(name, thin);
    }

    private static Map<String, Double> mean(List<Map<String, Double>> stretch) {
        Map<String, Double> mean = new LinkedHashMap<>();
        for (String key : stretch.getLast().keySet()) {
            double value = stretch.stream()
                    .map(row -> row.get(key))
                    .filter(each -> each != null && Double.isFinite(each))
                    .mapToDouble(Double::doubleValue)
                    .average()
                    .orElse(Double.NaN);
            if (key.equals("step")) {
                mean.put(key, stretch.getLast().get(key));
            } else if (!Double.isNaN(value)) {
                mean.put(key, NumberText.digits(value, 5));
            }
        }
        return mean;
    }
}
