package org.calm4j.calm.option;

import java.util.List;
import org.calm4j.engine.generate.Sampling;

/** Where a completion ends. */
@OptionRecord
public record EndOptions(
        @Option(
                value = "Tokens of a completion at most (default: 256, or what the model's positions leave).",
                label = "N",
                standard = EndOptions.FITTING)
        int maxNewTokens,

        @Option(
                value =
                        "Ends a completion; its text is cut before it. May be a special token; may be given several times.",
                label = "TEXT",
                standard = "",
                splits = false,
                later = true)
        List<String> stop) {
    /** {@link Sampling#FITTING} as text. */
    static final String FITTING = "" + Sampling.FITTING;

    public EndOptions {
        stop = List.copyOf(stop);
    }
}
