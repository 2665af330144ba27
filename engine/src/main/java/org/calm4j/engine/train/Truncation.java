package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Locale;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/**
 * How sequences that are too long are cut, as in TRL: a sequence is a prompt and one completion, and each is cut by itself.
 *
 * @param maxLength tokens of a sequence, at least 2; 0: any number
 * @param maxPromptLength tokens of a prompt, of which the last are kept, before {@code maxLength} is looked at; 0: any number
 * @param maxCompletionLength tokens of a completion, of which the first are kept, as early; 0: any number
 */
public record Truncation(int maxLength, Mode mode, int maxPromptLength, int maxCompletionLength) {
    public static final Truncation NONE = new Truncation(0, Mode.KEEP_START, 0, 0);

    /** What of a sequence longer than {@code maxLength} is kept. */
    public enum Mode {
        /** Its first tokens: the end of the completion is cut. */
        KEEP_START,
        /** Its last tokens: the start of the prompt is cut. */
        KEEP_END,
        /** It is bad input. */
        ERROR;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private record Sequence(int[] prompt, int[] completion) {
        int length() {
            return prompt.length + completion.length;
        }
    }

    /** @throws CalmException bad input: nothing to learn is left, or it is too long where that is an error */
    public Example.Document of(Example.Document document) {
        int length = document.tokens().length;
        if (!isLong(length)) {
            return document;
        }
        int start = mode == Mode.KEEP_END ? length - maxLength : 0;
        // Nothing predicts the first token.
        int from = Math.max(1, document.from() - start);
        BitSet learnt = document.learnt() == null ? null : document.learnt().get(start, start + maxLength);
        if (from >= maxLength || learnt != null && learnt.nextSetBit(from) < 0) {
            throw nothingLeft();
        }
        if (learnt != null) {
            learnt.clear(0, from);
        }
        int[] tokens = Arrays.copyOfRange(document.tokens(), start, start + maxLength);
        return new Example.Document(tokens, learnt == null ? from : learnt.nextSetBit(from), learnt, document.weight());
    }

    /** @throws CalmException bad input: nothing of a completion is left, or a sequence is too long where that is an error */
    public Example.Preference of(Example.Preference pair) {
        Sequence chosen = cut(new Sequence(pair.prompt(), pair.chosen()));
        Sequence rejected = cut(new Sequence(pair.rejectedPrompt(), pair.rejected()));
        return new Example.Preference(
                chosen.prompt,
                chosen.completion,
                rejected.completion,
                pair.weight(),
                Arrays.equals(chosen.prompt, rejected.prompt) ? chosen.prompt : rejected.prompt);
    }

    /** @throws CalmException as for a pair */
    public Example.Unpaired of(Example.Unpaired line) {
        Sequence cut = cut(new Sequence(line.prompt(), line.completion()));
        return Example.Unpaired.of(cut.prompt, cut.completion, line.desirable(), line.weight());
    }

    /** @throws CalmException as for one of its pairs */
    public Example.TwoLanguages of(Example.TwoLanguages pairs) {
        return new Example.TwoLanguages(of(pairs.first()), of(pairs.second()), pairs.weight());
    }

    private Sequence cut(Sequence whole) {
        int[] prompt = whole.prompt;
        int[] completion = whole.completion;
        if (maxPromptLength > 0 && prompt.length > maxPromptLength) {
            prompt = Arrays.copyOfRange(prompt, prompt.length - maxPromptLength, prompt.length);
        }
        if (maxCompletionLength > 0 && completion.length > maxCompletionLength) {
            completion = Arrays.copyOf(completion, maxCompletionLength);
        }
        Sequence part = new Sequence(prompt, completion);
        if (!isLong(part.length())) {
            return part;
        }
        if (mode == Mode.KEEP_START) {
            if (prompt.length >= maxLength) {
                throw nothingLeft();
            }
            return new Sequence(prompt, Arrays.copyOf(completion, maxLength - prompt.length));
        }
        int[] all = IntStream.concat(Arrays.stream(prompt), Arrays.stream(completion))
                .skip(part.length() - maxLength)
                .toArray();
        // Without a prompt, nothing predicts the first token: it is only read.
        int kept = Math.max(1, maxLength - completion.length);
        return new Sequence(Arrays.copyOf(all, kept), Arrays.copyOfRange(all, kept, maxLength));
    }

    private boolean isLong(int length) {
        if (maxLength > 0 && length > maxLength && mode == Mode.ERROR) {
            throw CalmException.badInput(
                    length + " tokens",
                    "longer than ",
                    Setting.of("max_length").at(maxLength),
                    "; shorten it, or choose another ",
                    Setting.of("truncation_mode"));
        }
        return maxLength > 0 && length > maxLength;
    }

    private CalmException nothingLeft() {
        return CalmException.badInput(
                "nothing to learn is left",
                "within ",
                Setting.of("max_length").at(maxLength),
                "; raise it, cut from the other side with ",
                Setting.of("truncation_mode"),
                ", or leave the line out");
    }
}
