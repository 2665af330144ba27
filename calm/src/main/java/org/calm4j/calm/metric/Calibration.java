package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.data.Prediction;

/**
 * Whether a model is right as often as it is confident (Guo et al. 2017, "On Calibration of Modern Neural Networks"). Confidence is the share
 * of sampled responses that give the answer, or the softmax of the choices' log-probabilities.
 *
 * @param n predictions with a confidence and a known truth
 * @param ece expected calibration error (eq. 3): |accuracy − mean confidence| of ten bins of equal width, weighted by their size
 * @param brier mean of (confidence − right)²
 * @param bins those that are not empty
 */
public record Calibration(int n, double ece, double brier, List<Bin> bins) {
    private static final int BINS = 10;

    /** Predictions with low &lt; confidence ≤ high: how many, their mean confidence, the share that is right. */
    public record Bin(
            double low,
            double high,
            int n,
            double confidence,
            double accuracy,
            @JsonProperty("interval") Interval interval) {}

    /** Null where no prediction has both a confidence and a known truth. */
    static Calibration of(List<Prediction> predictions) {
        int[] count = new int[BINS];
        int[] right = new int[BINS];
        double[] confidence = new double[BINS];
        int n = 0;
        double squares = 0;
        for (Prediction each : predictions) {
            if (each.confidence() != null && each.answer() != null && each.prediction() != null) {
                int bin = Math.clamp((int) Math.ceil(each.confidence() * BINS) - 1, 0, BINS - 1);
                int hit = each.answer().equals(each.prediction()) ? 1 : 0;
                count[bin]++;
                right[bin] += hit;
                confidence[bin] += each.confidence();
                squares += (each.confidence() - hit) * (each.confidence() - hit);
                n++;
            }
        }
        if (n == 0) {
            return null;
        }
        List<Bin> bins = new ArrayList<>();
        double error = 0;
        for (int b = 0; b < BINS; b++) {
            if (count[b] > 0) {
                bins.add(new Bin(
                        (double) b / BINS,
                        (b + 1.0) / BINS,
                        count[b],
                        confidence[b] / count[b],
                        (double) right[b] / count[b],
                        Interval.wilson(right[b], count[b])));
                error += Math.abs(right[b] - confidence[b]) / n;
            }
        }
        return new Calibration(n, error, squares / n, bins);
    }
}
