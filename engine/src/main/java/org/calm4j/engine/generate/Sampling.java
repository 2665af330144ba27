package org.calm4j.engine.generate;

import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.random.CounterRandom;

/**
 * How completions are drawn.
 *
 * @param maxNewTokens limit on the tokens of a completion, the end-of-sequence token included; {@link #FITTING} until {@link Generator#settle} knows
 * @param filter which of the next tokens may be drawn, and how probable each is
 * @param stop texts that end a completion; its text is cut before the first of them
 * @param count completions a prompt
 * @param ignoreEos go on to maxNewTokens
 */
public record Sampling(
        int maxNewTokens, TokenFilter filter, List<String> stop, int count, boolean ignoreEos, long seed) {
    /** Value of maxNewTokens for automatic: {@link #DEFAULT_NEW_TOKENS}, or what the longest prompt leaves of the model's positions. */
    public static final int FITTING = -1;

    public static final int DEFAULT_NEW_TOKENS = 256;

    /** @throws CalmException wrong usage: a value out of its range */
    public Sampling {
        Setting.of("max_new_tokens").check(maxNewTokens > 0 || maxNewTokens == FITTING, "must be at least 1");
        Setting.of("num_return_sequences").check(count > 0, "must be at least 1");
        Setting.of("stop").check(!stop.contains(""), "needs a text");
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
        this(maxNewTokens, new TokenFilter(temperature, topK, topP, minP, 1), List.of(), count, ignoreEos, seed);
    }

    Sampling withMaxNewTokens(int tokens) {
        return new Sampling(tokens, filter, stop, count, ignoreEos, seed);
    }

    /** A random stream of its own for one completion: the same whatever else is in the batch. */
    long stream(int prompt, int sample) {
        return CounterRandom.seed(CounterRandom.seed(CounterRandom.seed(seed, "sample"), prompt), sample);
    }

    public static Sampling greedy(int maxNewTokens) {
        return random(maxNewTokens, 0, 1, 0);
    }

    public static Sampling random(int maxNewTokens, double temperature, int count, long seed) {
        return new Sampling(maxNewTokens, TokenFilter.all(temperature), List.of(), count, false, seed);
    }
}
