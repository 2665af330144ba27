package org.calm4j.calm.extract;

import java.util.Locale;

/**
 * What a response answers, and why.
 *
 * @param label of the option; null when it gives no answer, or more than one
 * @param rule what decided
 * @param span the words that decided; null where none did
 * @param from where they begin in the response, in characters of its composed form (NFC); -1 where none did
 * @param againstText whether the label was followed by another option's text; the label counts then
 */
public record Extraction(String label, Rule rule, String span, int from, boolean againstText) {
    /** From the surest to the weakest. */
    public enum Rule {
        /** "The answer is (B)": the last such statement. */
        STATEMENT,
        /** The last statement names more than one option. */
        SEVERAL,
        /** The last statement says that no option is right. */
        NONE,
        /** What was answered is called wrong, and nothing comes in its place. */
        WITHDRAWN,
        /** A line with nothing but a label, or a label and its option's text. */
        LABEL_LINE,
        /** The text of one option. */
        OPTION_TEXT,
        /** The response declines to answer. */
        REFUSAL,
        /** It ends before the answer. */
        CUT,
        /** None of these. */
        NOTHING;

        /** For people. */
        public String text() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    static Extraction nothing(Rule rule) {
        return new Extraction(null, rule, null, -1, false);
    }
}
