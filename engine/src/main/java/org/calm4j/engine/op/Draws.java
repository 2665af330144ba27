package org.calm4j.engine.op;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.ints.IntSet;
import it.unimi.dsi.fastutil.longs.LongArrayList;
import java.util.ArrayList;
import java.util.List;

/** Tokens to be drawn together, each from a row of logits, and what was drawn. */
public final class Draws {
    private final IntArrayList rows = new IntArrayList();
    private final LongArrayList streams = new LongArrayList();
    private final IntArrayList positions = new IntArrayList();
    private final List<IntSet> seen = new ArrayList<>();
    private int[] tokens = {};
    private double[] logProbs = {};

    public void clear() {
        rows.clear();
        streams.clear();
        positions.clear();
        seen.clear();
    }

    /**
     * @param row of the logits; several draws may have the same
     * @param stream of random numbers; the draw's is {@code CounterRandom.uniform(stream, position)}
     * @param position of the token in its completion, from 0
     * @param seen tokens of the prompt and of the completion so far; looked at where there is a penalty
     */
    public void add(int row, long stream, int position, IntSet seen) {
        rows.add(row);
        streams.add(stream);
        positions.add(position);
        this.seen.add(seen);
        if (rows.size() > tokens.length) {
            tokens = new int[2 * rows.size()];
            logProbs = new double[2 * rows.size()];
        }
    }

    public int count() {
        return rows.size();
    }

    public int row(int draw) {
        return rows.getInt(draw);
    }

    public long stream(int draw) {
        return streams.getLong(draw);
    }

    public int position(int draw) {
        return positions.getInt(draw);
    }

    public IntSet seen(int draw) {
        return seen.get(draw);
    }

    /** For backends: what was drawn. */
    public void drawn(int draw, int token, double logProb) {
        tokens[draw] = token;
        logProbs[draw] = logProb;
    }

    public int token(int draw) {
        return tokens[draw];
    }

    /** Natural log of the token's probability under the model, before penalty, temperature and filters; NaN where the logits are not numbers. */
    public double logProb(int draw) {
        return logProbs[draw];
    }
}
