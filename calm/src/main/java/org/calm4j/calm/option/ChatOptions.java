package org.calm4j.calm.option;

import org.calm4j.engine.Setting;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.op.TokenFilter;

/** How a model answers in a conversation: tokens are chosen as its makers want it where nothing else is said. */
@OptionRecord
public record ChatOptions(
        @Option(
                value = "Tokens of the conversation at most, as far as the model goes (default: ${DEFAULT-VALUE}).",
                label = "N",
                standard = "4096")
        int contextLength,

        @Defaults("max_new_tokens=1024") EndOptions end,
        @Defaults(none = true) FilterOptions filter) {
    public ChatOptions {
        Setting.of("context_length").check(contextLength > 0, "must be at least 1");
        sampling(end, filter, TokenFilter.all(1), 0);
    }

    /** @param makers how the model's makers want its tokens chosen */
    public Sampling sampling(TokenFilter makers, long seed) {
        return sampling(end, filter, makers, seed);
    }

    private static Sampling sampling(EndOptions end, FilterOptions filter, TokenFilter makers, long seed) {
        return new Sampling(end.maxNewTokens(), filter.over(makers), end.stop(), 1, false, seed);
    }
}
