package org.calm4j.engine.generate;

import java.util.List;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.random.CounterRandom;

/**
 * How tokens are chosen; names and order as in transformers: repetition penalty, temperature, top-k, top-p, min-p.
 *
 * @param maxNewTokens limit on the tokens of a completion, the end-of-sequence token included; {@link #FITTING} until {@link Generator#settle} knows
 * @param temperature 0 always takes the most probable token
 * @param topK only the k most probable; 0 for all
 * @param topP only the smallest set of most probable tokens that has this probability; 1 for all
 * @param minP only tokens with at least this share of the most probable one's probability; 0 for all
 * @param repetitionPenalty positive logits of tokens in the prompt or the completion are divided by it, negative ones
 *     multiplied with (Keskar et al. 2019); 1 for none
 * @param stop texts that end a completion; its text is cut before the first of them
 * @param count completions a prompt
 * @param ignoreEos go on to maxNewTokens
 */
public record Sampling(
        int maxNewTokens,
        double temperature,
        int topK,
        double topP,
        double minP,
        double repetitionPenalty,
        List<String> stop,
        int count,
        boolean ignoreEos,
        long seed) {
    /** Value of maxNewTokens for automatic: {@link #DEFAULT_NEW_TOKENS}, or what the longest prompt leaves of the model's positions. */
    public static final int FITTING = -1;

    public static final int DEFAULT_NEW_TOKENS = 256;

    public Sampling {
        stop = List.copyOf(stop);
    }

    /** Without penalty and stop strings. */
    public Sampling(
            int maxNewTokens,
            double temperature,
            int topK,
            double topP,
            double minP,
            int count,
            boolean ignoreEos,
            long seed) {
        this(maxNewTokens, temperature, topK, topP, minP, 1, List.of(), count, ignoreEos, seed);
    }

    Sampling withMaxNewTokens(int tokens) {
        return new Sampling(tokens, temperature, topK, topP, minP, repetitionPenalty, stop, count, ignoreEos, seed);
    }

    /** What it says of each single token. */
    TokenFilter filter() {
        return new TokenFilter(temperature, topK, topP, minP, repetitionPenalty);
    }

    /** A random stream of its own for one completion: the same whatever else is in the batch. */
    long stream(int prompt, int sample) {
        return CounterRandom.seed(CounterRandom.seed(CounterRandom.seed(seed, "sample"), prompt), sample);
    }

    public static Sampling greedy(int maxNewTokens) {
        return new Sampling(maxNewTokens, 0, 0, 1, 0, 1, false, 0);
    }

    public static Sampling random(int maxNewTokens, double temperature, int count, long seed) {
        return new Sampling(maxNewTokens, temperature, 0, 1, 0, count, false, seed);
    }
}
