package org.calm4j.calm.option;

import org.calm4j.engine.Setting;
import org.calm4j.engine.generate.Sampling;

/** How a model answers each question several times. */
@OptionRecord
public record SampleOptions(
        @Option(
                value = "Responses to a question (default: ${DEFAULT-VALUE}).",
                label = "K",
                standard = "8",
                also = "num_return_sequences")
        int responses,

        @Defaults("temperature=1") FilterOptions filter,
        EndOptions end,

        @Option(value = "Continue to {max_new_tokens}.", later = true)
        boolean ignoreEos) {
    public SampleOptions {
        Setting.of("responses").check(responses > 0, "must be at least 1");
        sampling(responses, filter, end, ignoreEos, 0);
    }

    public Sampling sampling(long seed) {
        return sampling(responses, filter, end, ignoreEos, seed);
    }

    private static Sampling sampling(int count, FilterOptions filter, EndOptions end, boolean ignoreEos, long seed) {
        return new Sampling(end.maxNewTokens(), filter.filter(), end.stop(), count, ignoreEos, seed);
    }
}
