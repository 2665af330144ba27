package org.calm4j.calm.option;

import org.calm4j.engine.op.TokenFilter;

/** Which of the next tokens may be drawn; names as in transformers. Null leaves a value to the caller. */
@OptionRecord
public record FilterOptions(
        @Option(value = "0 always takes the most probable token (default: ${DEFAULT-VALUE}).", label = "T")
        Double temperature,

        @Option(
                value = "Only the K most probable tokens; 0: all (default: ${DEFAULT-VALUE}).",
                label = "K",
                standard = "0")
        Integer topK,

        @Option(
                value =
                        "Only the most probable tokens that together have this probability (default: ${DEFAULT-VALUE}).",
                label = "P",
                standard = "1")
        Double topP,

        @Option(
                value =
                        "Only tokens with this share of the most probable one's probability (default: ${DEFAULT-VALUE}).",
                label = "M",
                standard = "0")
        Double minP,

        @Option(
                value = "Divides positive logits of tokens that occurred already, multiplies negative ones "
                        + "(default: ${DEFAULT-VALUE}).",
                label = "R",
                standard = "1",
                later = true)
        Double repetitionPenalty) {
    public FilterOptions {
        over(TokenFilter.all(1), temperature, topK, topP, minP, repetitionPenalty);
    }

    /** Nulls replaced by the values of another filter. */
    public TokenFilter over(TokenFilter base) {
        return over(base, temperature, topK, topP, minP, repetitionPenalty);
    }

    private static TokenFilter over(
            TokenFilter base, Double temperature, Integer topK, Double topP, Double minP, Double repetitionPenalty) {
        return new TokenFilter(
                temperature == null ? base.temperature() : temperature,
                topK == null ? base.topK() : topK,
                topP == null ? base.topP() : topP,
                minP == null ? base.minP() : minP,
                repetitionPenalty == null ? base.repetitionPenalty() : repetitionPenalty);
    }

    TokenFilter filter() {
        return over(TokenFilter.all(1));
    }
}
