package org.calm4j.calm.option;

import org.calm4j.engine.Setting;
import org.calm4j.engine.train.Packing;
import org.calm4j.engine.train.Truncation;

/** How lines become sequences, and sequences passes. */
@OptionRecord("Data")
public record DataOptions(
        @Option(
                value = "Tokens of a sequence, a prompt and one completion; longer ones are cut. Default: any number.",
                label = "N",
                later = true)
        Integer maxLength,

        @Option(
                value =
                        "What is kept of a longer one: its start, its end, or it is an error; ${COMPLETION-CANDIDATES}, default keep_start.",
                later = true)
        Truncation.Mode truncationMode,

        @Option(
                value = "Tokens of a prompt, of which the last are kept; default: any number.",
                label = "N",
                later = true)
        Integer maxPromptLength,

        @Option(
                value = "Tokens of a completion, of which the first are kept; default: any number.",
                label = "N",
                later = true)
        Integer maxCompletionLength,

        @Option(
                value =
                        "Tokens per forward and backward pass, unless a line alone has more; default: as {micro_batch_size} says.",
                label = "N",
                later = true)
        Integer maxTokens,

        @Option(
                value = "Of conversations, learn what the assistant says in each of its turns, and nothing else.",
                later = true)
        boolean assistantOnlyLoss,

        @Option(
                value =
                        "Take an instruction or a prompt that is text as a user's message, through the model's chat template, as LLaMA-Factory does.",
                later = true)
        boolean applyChatTemplate,

        @Option(value = "The first lines of each file of data that are used; default: all.", label = "N", later = true)
        Integer maxSamples,

        @Option(
                value =
                        "Lines of the data that are held out, chosen by the seed, for {eval_steps} instead of {eval_data}: a share below 1, or a number; default: none.",
                label = "X",
                later = true)
        Double valSize,

        @Option(
                value =
                        "Read each line of the data when a step takes it, for files larger than memory; JSON Lines alone, and the file must not "
                                + "change. The result is the same.",
                later = true)
        boolean streaming) {
    public DataOptions {
        Setting.of("max_length").check(maxLength == null || maxLength >= 2, "must be at least 2");
        Setting.of("truncation_mode")
                .check(truncationMode == null || maxLength != null, "needs ", Setting.of("max_length"));
        Setting.of("max_prompt_length").check(maxPromptLength == null || maxPromptLength >= 1, "must be at least 1");
        Setting.of("max_completion_length")
                .check(maxCompletionLength == null || maxCompletionLength >= 1, "must be at least 1");
        Setting.of("max_tokens").check(maxTokens == null || maxTokens >= 1, "must be at least 1");
        Setting.of("max_samples").check(maxSamples == null || maxSamples >= 1, "must be at least 1");
        Setting.of("val_size")
                .check(
                        valSize == null || valSize >= 0 && (valSize < 1 || valSize == Math.rint(valSize)),
                        "must be a share below 1 or a whole number");
        valSize = valSize != null && valSize == 0 ? null : valSize;
    }

    /** How sequences that are too long are cut. */
    public Truncation truncation() {
        return new Truncation(
                or(maxLength, 0),
                truncationMode == null ? Truncation.Mode.KEEP_START : truncationMode,
                or(maxPromptLength, 0),
                or(maxCompletionLength, 0));
    }

    /** @param prompts of pairs; null if the data are documents */
    Packing packing(PromptOptions prompts) {
        return new Packing(
                or(maxTokens, 0),
                prompts != null && prompts.sharePrompts(),
                prompts != null && prompts.groupByPrompt());
    }

    private static int or(Integer value, int standard) {
        return value == null ? standard : value;
    }
}
