package org.calm4j.calm.extract;

/**
 * What a response answers.
 *
 * @param label of the option; null when it gives no answer, or more than one
 * @param rule what decided
 */
public record Extraction(String label, Rule rule) {
    /** From the surest to the weakest. */
    public enum Rule {
        /** "The answer is (B)": the last such statement. */
        STATEMENT,
        /** A line with nothing but a label, or a label and its option's text. */
        LABEL_LINE,
        /** The text of one option. */
        OPTION_TEXT,
        /** None of these. */
        NOTHING
    }
}
