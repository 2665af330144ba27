package org.calm4j.engine.generate;

/**
 * What the model continued a prompt with.
 *
 * @param text of the tokens without special ones, cut before a stop string; null where the model has no tokenizer
 * @param tokens all that were drawn, with the end-of-sequence token, if one came, and those of a stop string
 * @param logProbs natural log of each token's probability under the model: at temperature 1, before penalty and filters
 */
public record Completion(String text, int[] tokens, double[] logProbs, FinishReason finishReason) {
    public double logProb() {
        double sum = 0;
        for (double logProb : logProbs) {
            sum += logProb;
        }
        return sum;
    }

    /** Whether the model, or a stop string, ended it, and not the number of tokens. */
    public boolean ended() {
        return finishReason != FinishReason.LENGTH;
    }
}
