package org.calm4j.calm.option;

/** What becomes of pairs that have the same prompt. */
@OptionRecord("Prompts")
public record PromptOptions(
        @Option(
                value =
                        "Compute a prompt once for all pairs of a step that have it: the same gradient, added in another order, so that bits "
                                + "change. Faster where pairs of one prompt meet, see {group_by_prompt}.",
                later = true)
        boolean sharePrompts,

        @Option(value = "Bring pairs of one prompt together: shuffle prompts in place of lines.", later = true)
        boolean groupByPrompt) {}
