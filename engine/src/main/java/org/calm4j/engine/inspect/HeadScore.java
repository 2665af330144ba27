package org.calm4j.engine.inspect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.random.CounterRandom;

/**
 * What a head attends to in repeated random tokens, as shares of its attention (Olsson et al. 2022).
 *
 * @param previousToken to the token before
 * @param duplicateToken the second time, to the same token the first time
 * @param induction the second time, to the token that followed it the first time
 */
public record HeadScore(int layer, int head, double previousToken, double duplicateToken, double induction) {
    /**
     * The means over texts of each head, layer by layer.
     *
     * @param length of what comes twice, at most the vocabulary's size; a text of it has distinct tokens
     */
    public static List<HeadScore> of(Inspector inspector, int length, int texts, long seed) {
        ModelConfig config = inspector.config();
        int heads = config.attention().heads();
        Selection patterns = Selection.of(config, HookPoint.PATTERN.name(0).replace(".0.", ".*."));
        double[][] sums = new double[config.layers() * heads][3];
        for (int text = 0; text < texts; text++) {
            int[] once = CounterRandom.permutation(
                    CounterRandom.seed(seed, text), config.vocabulary().size());
            int[] tokens = new int[2 * length];
            Arrays.setAll(tokens, i -> once[i % length]);
            try (Trace trace = inspector.run(tokens, patterns)) {
                for (int layer = 0; layer < config.layers(); layer++) {
                    double[] pattern = trace.values(HookPoint.PATTERN.name(layer));
                    for (int head = 0; head < heads; head++) {
                        int first = head * tokens.length * tokens.length;
                        double[] sum = sums[layer * heads + head];
                        sum[0] += back(pattern, first, tokens.length, 1, 1) / texts;
                        sum[1] += back(pattern, first, tokens.length, length, length) / texts;
                        sum[2] += back(pattern, first, tokens.length, length, length - 1) / texts;
                    }
                }
            }
        }
        List<HeadScore> scores = new ArrayList<>();
        for (int i = 0; i < sums.length; i++) {
            scores.add(new HeadScore(i / heads, i % heads, sums[i][0], sums[i][1], sums[i][2]));
        }
        return scores;
    }

    /**
     * The mean attention to the token at this distance back.
     *
     * @param first index of the pattern (T,T) in the values
     * @param from the first query that counts
     */
    static double back(double[] pattern, int first, int tokens, int from, int distance) {
        double sum = 0;
        for (int query = from; query < tokens; query++) {
            sum += pattern[first + query * tokens + query - distance];
        }
        return sum / (tokens - from);
    }
}
