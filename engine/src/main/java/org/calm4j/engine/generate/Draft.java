package org.calm4j.engine.generate;

import it.unimi.dsi.fastutil.doubles.DoubleArrayList;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.ints.IntOpenHashSet;
import it.unimi.dsi.fastutil.ints.IntSet;
import it.unimi.dsi.fastutil.ints.IntSets;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.NotFinite;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.text.Tokenizer;

/** A completion in progress. */
final class Draft {
    private final Sampling sampling;
    private final CausalLm model;
    private final long stream;
    private final IntSet seen;
    private final GrowingText text;
    private final IntArrayList tokens = new IntArrayList();
    private final DoubleArrayList logProbs = new DoubleArrayList();
    private FinishReason finished;

    /**
     * @param prompt all tokens before it
     * @param tokenizer null where the model has none
     * @throws CalmException wrong usage: stop strings without a tokenizer
     */
    Draft(Sampling sampling, CausalLm model, long stream, int[] prompt, Tokenizer tokenizer) {
        if (tokenizer == null && !sampling.stop().isEmpty()) {
            throw CalmException.usage("stop strings need a model with a tokenizer");
        }
        this.sampling = sampling;
        this.model = model;
        this.stream = stream;
        seen = sampling.filter().repetitionPenalty() == 1 ? IntSets.EMPTY_SET : new IntOpenHashSet(prompt);
        text = tokenizer == null ? null : new GrowingText(tokenizer, sampling.stop());
    }

    /** Adds the draw of its next token from that row of logits. */
    void wants(Draws draws, int row) {
        draws.add(row, stream, tokens.size(), seen);
    }

    /** Appends the drawn token; returns whether the completion continues. */
    boolean take(int token, double logProb) {
        if (!Double.isFinite(logProb)) {
            throw NotFinite.explain(model);
        }
        tokens.add(token);
        logProbs.add(logProb);
        if (sampling.filter().repetitionPenalty() != 1) {
            seen.add(token);
        }
        if (!sampling.ignoreEos() && model.config().vocabulary().eos().contains(token)) {
            finished = FinishReason.EOS;
        } else if (text != null && text.add(token)) {
            finished = FinishReason.STOP;
        } else if (tokens.size() == sampling.maxNewTokens()) {
            finished = FinishReason.LENGTH;
        }
        return finished == null;
    }

    int size() {
        return tokens.size();
    }

    int token(int i) {
        return tokens.getInt(i);
    }

    int lastToken() {
        return tokens.getInt(tokens.size() - 1);
    }

    /** Text that became final since the last call; empty without a tokenizer. */
    String certainText() {
        return text == null ? "" : text.certain();
    }

    /** @param cut why it ended, if it was ended from outside */
    Completion completion(FinishReason cut) {
        return new Completion(
                text == null ? null : text.finish(),
                tokens.toIntArray(),
                logProbs.toDoubleArray(),
                finished == null ? cut : finished);
    }
}
