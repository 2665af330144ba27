package org.calm4j.engine.generate;

/**
 * How tokens are chosen; names and order of the filters as in transformers: temperature, top-k, top-p, min-p.
 *
 * @param maxNewTokens tokens a completion has at most, the end-of-sequence token included
 * @param temperature 0 for the most probable token always
 * @param topK only the k most probable; 0 for all
 * @param topP only the smallest set of most probable tokens that has this probability; 1 for all
 * @param minP only tokens with at least this share of the most probable one's probability; 0 for all
 * @param count completions a prompt
 * @param ignoreEos go on to maxNewTokens
 */
public record Sampling(int maxNewTokens, double temperature, int topK, double topP, double minP, int count, boolean ignoreEos, long seed) {
    public static Sampling greedy(int maxNewTokens) {
        return new Sampling(maxNewTokens, 0, 0, 1, 0, 1, false, 0);
    }

    public static Sampling random(int maxNewTokens, double temperature, int count, long seed) {
        return new Sampling(maxNewTokens, temperature, 0, 1, 0, count, false, seed);
    }
}
