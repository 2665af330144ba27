package org.calm4j.engine.generate;

/**
 * What the model continued a prompt with.
 *
 * @param tokens with the end-of-sequence token, if one came
 * @param logProbs natural log of each token's probability under the model, before temperature and filters
 * @param finishReason {@code stop} after an end-of-sequence token, {@code length} otherwise
 */
public record Completion(int[] tokens, double[] logProbs, String finishReason) {
    public double logProb() {
        double sum = 0;
        for (double logProb : logProbs) {
            sum += logProb;
        }
        return sum;
    }
}
