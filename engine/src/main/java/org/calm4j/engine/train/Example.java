package org.calm4j.engine.train;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.IntFunction;
import org.calm4j.engine.model.PackedBatch;

/** One line of training data, as token ids. */
public sealed interface Example {
    /** A factor on the line's loss. */
    double weight();

    /** Appends its sequences to a batch. */
    void pack(PackedBatch batch);

    /** Rows it takes in a batch. */
    int rows();

    /** Tokens it has, a shared prompt counted once. */
    int tokenCount();

    /** Rows of its prompts that a batch has already. */
    default int sharedRows(PackedBatch batch) {
        return 0;
    }

    /** Tokens of its sequences, a prompt counted with each completion. */
    default int sequenceTokens() {
        return preferences().stream()
                .mapToInt(pair -> pair.prompt().length
                        + pair.chosen().length
                        + pair.rejectedPrompt().length
                        + pair.rejected().length)
                .sum();
    }

    /** Targets it scores. */
    int scored();

    /** Tokens of its longest sequence. */
    int longest();

    /** Scored sequences that it appends to a batch. */
    int sequences();

    /** The pairs of completions that a reference model scores; a document has none. */
    List<Preference> preferences();

    /**
     * A text, learnt by cross-entropy: mean negative log-likelihood of the tokens that count.
     *
     * @param from index of the first token that counts, at least 1
     * @param learnt by index, whether a token from {@code from} on counts, at least one; null where all of them do
     */
    record Document(int[] tokens, int from, BitSet learnt, double weight) implements Example {
        /** All tokens from index {@code from} on count. */
        public Document(int[] tokens, int from, double weight) {
            this(tokens, from, null, weight);
        }

        @Override
        public void pack(PackedBatch batch) {
            batch.add(tokens, from, learnt);
        }

        @Override
        public int rows() {
            return tokens.length - 1;
        }

        @Override
        public int tokenCount() {
            return tokens.length;
        }

        @Override
        public int sequenceTokens() {
            return tokens.length;
        }

        @Override
        public int scored() {
            return learnt == null
                    ? tokens.length - from
                    : learnt.get(from, tokens.length).cardinality();
        }

        @Override
        public int longest() {
            return tokens.length;
        }

        @Override
        public int sequences() {
            return 1;
        }

        @Override
        public List<Preference> preferences() {
            return List.of();
        }
    }

    /**
     * A preference pair; the chosen completion is the batch's first sequence of it, the rejected one its second.
     *
     * @param rejectedPrompt the prompt of the rejected completion; {@code prompt} itself unless the two were cut differently
     */
    record Preference(int[] prompt, int[] chosen, int[] rejected, double weight, int[] rejectedPrompt)
            implements Example {
        /** Both completions have the same prompt. */
        public Preference(int[] prompt, int[] chosen, int[] rejected, double weight) {
            this(prompt, chosen, rejected, weight, prompt);
        }

        /** Tokens that both completions have room for: as many as the shorter one's. */
        int shared() {
            return Math.min(chosen.length, rejected.length);
        }

        @Override
        public void pack(PackedBatch batch) {
            int segment = batch.prompt(prompt);
            batch.continuation(segment, chosen);
            batch.continuation(prompt == rejectedPrompt ? segment : batch.prompt(rejectedPrompt), rejected);
        }

        @Override
        public int rows() {
            return tokenCount() - 2;
        }

        @Override
        public int sharedRows(PackedBatch batch) {
            return (batch.has(prompt) ? prompt.length : 0)
                    + (prompt != rejectedPrompt && batch.has(rejectedPrompt) ? rejectedPrompt.length : 0);
        }

        @Override
        public int tokenCount() {
            return prompt.length
                    + (prompt == rejectedPrompt ? 0 : rejectedPrompt.length)
                    + chosen.length
                    + rejected.length;
        }

        @Override
        public int scored() {
            return chosen.length + rejected.length;
        }

        @Override
        public int longest() {
            return Math.max(prompt.length + chosen.length, rejectedPrompt.length + rejected.length);
        }

        @Override
        public int sequences() {
            return 2;
        }

        @Override
        public List<Preference> preferences() {
            return List.of(this);
        }
    }

    /**
     * A completion that is desirable or not, and beside it one that belongs to another prompt.
     *
     * @param pair the completion as the chosen one, and the one that does not belong there as the rejected one
     */
    record Unpaired(Preference pair, boolean desirable) implements Example {
        /** With its own first token in the place of another line's completion, which takes no row of a batch. */
        public static Unpaired of(int[] prompt, int[] completion, boolean desirable, double weight) {
            return new Unpaired(new Preference(prompt, completion, Arrays.copyOf(completion, 1), weight), desirable);
        }

        /** First all chosen completions, as desirable, then all rejected ones. */
        public static List<Unpaired> apart(List<Preference> pairs) {
            int count = pairs.size();
            return view(2 * count, i -> {
                Preference pair = pairs.get(i % count);
                return i < count
                        ? of(pair.prompt(), pair.chosen(), true, pair.weight())
                        : of(pair.rejectedPrompt(), pair.rejected(), false, pair.weight());
            });
        }

        /** Lines that are made when they are taken, since those that they are made of may be read from a file. */
        private static List<Unpaired> view(int count, IntFunction<Unpaired> line) {
            return new AbstractList<>() {
                @Override
                public Unpaired get(int i) {
                    return line.apply(i);
                }

                @Override
                public int size() {
                    return count;
                }
            };
        }

        public int[] prompt() {
            return pair.prompt();
        }

        public int[] completion() {
            return pair.chosen();
        }

        @Override
        public double weight() {
            return pair.weight();
        }

        @Override
        public void pack(PackedBatch batch) {
            pair.pack(batch);
        }

        @Override
        public int rows() {
            return pair.rows();
        }

        @Override
        public int sharedRows(PackedBatch batch) {
            return pair.sharedRows(batch);
        }

        @Override
        public int tokenCount() {
            return pair.tokenCount();
        }

        @Override
        public int sequenceTokens() {
            return prompt().length + completion().length;
        }

        @Override
        public int scored() {
            return pair.scored();
        }

        @Override
        public int longest() {
            return pair.longest();
        }

        @Override
        public int sequences() {
            return 2;
        }

        @Override
        public List<Preference> preferences() {
            return List.of(pair);
        }
    }

    /** One question in two languages: the first language's chosen and rejected completion, then the second one's. */
    record TwoLanguages(Preference first, Preference second, double weight) implements Example {
        @Override
        public void pack(PackedBatch batch) {
            first.pack(batch);
            second.pack(batch);
        }

        @Override
        public int rows() {
            return first.rows() + second.rows();
        }

        @Override
        public int sharedRows(PackedBatch batch) {
            return first.sharedRows(batch) + second.sharedRows(batch);
        }

        @Override
        public int tokenCount() {
            return first.tokenCount() + second.tokenCount();
        }

        @Override
        public int scored() {
            return first.scored() + second.scored();
        }

        @Override
        public int longest() {
            return Math.max(first.longest(), second.longest());
        }

        @Override
        public int sequences() {
            return 4;
        }

        @Override
        public List<Preference> preferences() {
            return List.of(first, second);
        }
    }
}
