package org.calm4j.calm.option;

import org.calm4j.engine.generate.Sampling;

/** How prompts are continued. */
@OptionRecord
public record GenerateOptions(
        EndOptions end,
        @Defaults("temperature=0") FilterOptions filter,

        @Option(value = "Completions per prompt (default: ${DEFAULT-VALUE}).", label = "K", standard = "1")
        int numReturnSequences,

        @Option("Continue to {max_new_tokens}.") boolean ignoreEos) {
    public GenerateOptions {
        sampling(end, filter, numReturnSequences, ignoreEos, 0);
    }

    public Sampling sampling(long seed) {
        return sampling(end, filter, numReturnSequences, ignoreEos, seed);
    }

    private static Sampling sampling(EndOptions end, FilterOptions filter, int count, boolean ignoreEos, long seed) {
        return new Sampling(end.maxNewTokens(), filter.filter(), end.stop(), count, ignoreEos, seed);
    }
}
