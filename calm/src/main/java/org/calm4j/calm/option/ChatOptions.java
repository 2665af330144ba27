package org.calm4j.calm.option;

import org.calm4j.engine.Setting;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.op.TokenFilter;

/** How a model answers in a conversation; options not given take the model makers' defaults. */
@OptionRecord
public record ChatOptions(
        @Option(
                value = "Maximum tokens of the conversation, within the model's positions (default: ${DEFAULT-VALUE}).",
                label = "N",
                standard = "4096")
        int contextLength,

        @Defaults("max_new_tokens=1024") EndOptions end,
        @Defaults(none = true) FilterOptions filter) {
    public ChatOptions {
        Setting.of("context_length").check(contextLength > 0, "must be at least 1");
        sampling(end, filter, TokenFilter.all(1), 0);
    }

    /** @param makers the sampling that the model's makers recommend */
    public Sampling sampling(TokenFilter makers, long seed) {
        return sampling(end, filter, makers, seed);
    }

    private static Sampling sampling(EndOptions end, FilterOptions filter, TokenFilter makers, long seed) {
        return new Sampling(end.maxNewTokens(), filter.over(makers), end.stop(), 1, false, seed);
    }
}
