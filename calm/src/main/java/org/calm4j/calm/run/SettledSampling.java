package org.calm4j.calm.run;

import java.util.List;
import java.util.function.IntFunction;
import org.calm4j.calm.data.Messages;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;

/** The sampling that a run uses: {@link Generator#settle}, with errors at each prompt's own place. */
public final class SettledSampling {
    private SettledSampling() {}

    /**
     * Reports when fewer new tokens fit than the default.
     *
     * @param where file and line of each prompt, for messages
     * @throws org.calm4j.engine.CalmException bad input: a prompt that does not fit, with its place
     */
    public static Sampling of(
            Generator generator, List<int[]> prompts, Sampling sampling, IntFunction<String> where, Progress progress) {
        Sampling settled = generator.settle(prompts, sampling);
        for (int i = 0; i < prompts.size(); i++) {
            List<int[]> one = List.of(prompts.get(i));
            Messages.at(where.apply(i), () -> generator.check(one, settled));
        }
        if (sampling.maxNewTokens() == Sampling.FITTING && settled.maxNewTokens() < Sampling.DEFAULT_NEW_TOKENS) {
            progress.say("calm: " + settled.maxNewTokens()
                    + " new tokens at most, which is what the longest prompt leaves of the model's positions");
        }
        return settled;
    }
}
