package org.calm4j.engine.train;

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

    /** Targets it scores. */
    int scored();

    /** Tokens of its longest sequence. */
    int longest();

    /**
     * A text, learnt by cross-entropy: mean negative log-likelihood of its tokens from index {@code from} on.
     *
     * @param from at least 1
     */
    record Document(int[] tokens, int from, double weight) implements Example {
        @Override
        public void pack(PackedBatch batch) {
            batch.add(tokens, from);
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
        public int scored() {
            return tokens.length - from;
        }

        @Override
        public int longest() {
            return tokens.length;
        }
    }

    /** A preference pair; the chosen completion is the batch's first sequence of it, the rejected one its second. */
    record Preference(int[] prompt, int[] chosen, int[] rejected, double weight) implements Example {
        @Override
        public void pack(PackedBatch batch) {
            int segment = batch.prompt(prompt);
            batch.continuation(segment, chosen);
            batch.continuation(segment, rejected);
        }

        @Override
        public int rows() {
            return tokenCount() - 2;
        }

        @Override
        public int tokenCount() {
            return prompt.length + chosen.length + rejected.length;
        }

        @Override
        public int scored() {
            return chosen.length + rejected.length;
        }

        @Override
        public int longest() {
            return prompt.length + Math.max(chosen.length, rejected.length);
        }
    }
}
