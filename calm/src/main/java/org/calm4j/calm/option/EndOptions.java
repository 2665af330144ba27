package org.calm4j.calm.option;

import java.util.List;
import org.calm4j.engine.generate.Sampling;

/** Where a completion ends. */
@OptionRecord
public record EndOptions(
        @Option(
                value = "Maximum tokens of a completion (default: 256, or what the model's positions leave).",
                label = "N",
                standard = EndOptions.FITTING)
        int maxNewTokens,

        @Option(
                value =
                        "A text that ends a completion, and is cut off. May be a special token; may be given several times.",
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
