package org.calm4j.engine.inspect;

import java.util.Arrays;
import java.util.Set;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.Tensor;

/**
 * Figures of each layer over the first rows of a pass, so that they cost the same however large the batch is. It changes nothing, and takes
 * no more memory from one pass to the next.
 */
public final class ActivationStatistics implements Tap {
    /** What can be measured. */
    public enum Kind {
        /** The mean of the rows' Euclidean norms of the stream that a layer leaves. */
        NORM,
        /** The share of feed-forward units whose input is above 0 in none of the rows: both SiLU and GELU let next to nothing pass there. */
        DEAD_UNITS,
        /** The mean entropy of attention over rows and heads, in nats: 0 where a row looks at one token. */
        ATTENTION_ENTROPY
    }

    private final Backend backend;
    private final ModelConfig config;
    private final Set<Kind> kinds;
    private final int most;
    private final double[][] figures;
    private double[] values = new double[0];
    private double[] queries = new double[0];
    private Segments segments;

    /** @param most rows that are looked at */
    public ActivationStatistics(CausalLm model, Set<Kind> kinds, int most) {
        backend = model.backend();
        config = model.config();
        this.kinds = Set.copyOf(kinds);
        this.most = most;
        figures = new double[Kind.values().length][config.layers()];
    }

    /** Before a forward pass. */
    public Tap of(PackedBatch batch) {
        segments = batch.segments();
        return this;
    }

    /** The figures of the last pass, by layer. */
    public double[] figures(Kind kind) {
        return figures[kind.ordinal()].clone();
    }

    @Override
    public boolean wants(HookPoint point, int layer) {
        return switch (point) {
            case RESID_POST -> kinds.contains(Kind.NORM);
            case MLP_PRE -> kinds.contains(Kind.DEAD_UNITS);
            default -> (point == queries() || point == keys()) && kinds.contains(Kind.ATTENTION_ENTROPY);
        };
    }

    /** As attention multiplies them. */
    private HookPoint queries() {
        return HookPoint.ROT_Q.isIn(config) ? HookPoint.ROT_Q : HookPoint.Q;
    }

    private HookPoint keys() {
        return HookPoint.ROT_K.isIn(config) ? HookPoint.ROT_K : HookPoint.K;
    }

    @Override
    public void value(HookPoint point, int layer, Tensor value) {
        int rows = (int) Math.min(most, value.dim(0));
        if (point == queries()) {
            queries = read(queries, value, rows);
            return;
        }
        values = read(values, value, rows);
        int columns = (int) value.rowSize();
        switch (point) {
            case RESID_POST -> figures[Kind.NORM.ordinal()][layer] = norm(rows, columns);
            case MLP_PRE -> figures[Kind.DEAD_UNITS.ordinal()][layer] = dead(rows, columns);
            default -> figures[Kind.ATTENTION_ENTROPY.ordinal()][layer] = entropy(layer, rows);
        }
    }

    @Override
    public void gradient(HookPoint point, int layer, Tensor gradient) {}

    private double[] read(double[] to, Tensor value, int rows) {
        int size = Math.toIntExact(rows * value.rowSize());
        double[] fits = to.length < size ? new double[size] : to;
        backend.read(fits, value, size);
        return fits;
    }

    private double norm(int rows, int columns) {
        double sum = 0;
        for (int row = 0; row < rows; row++) {
            double squares = 0;
            for (int i = row * columns; i < (row + 1) * columns; i++) {
                squares += values[i] * values[i];
            }
            sum += Math.sqrt(squares) / rows;
        }
        return sum;
    }

    private double dead(int rows, int columns) {
        boolean[] alive = new boolean[columns];
        int count = 0;
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < columns; i++) {
                if (values[row * columns + i] > 0 && !alive[i]) {
                    alive[i] = true;
                    count++;
                }
            }
        }
        return (double) (columns - count) / columns;
    }

    /** A row's keys lie before it or in a segment before its own, so the first rows have all of theirs. */
    private double entropy(int layer, int rows) {
        int heads = config.attention().heads();
        int window = config.attention().windows().get(layer);
        double scale = config.attention().scales().get(layer);
        double[] scores = new double[rows];
        double sum = 0;
        for (int segment = 0; segment < segments.count(); segment++) {
            int start = segments.queryStart(segment);
            int end = Math.min(rows, start + segments.queryLength(segment));
            for (int row = start; row < end; row++) {
                int position = row - start + segments.depth(segment);
                for (int head = 0; head < heads; head++) {
                    int seen = scores(scores, segment, row, head, window == 0 ? -1 : position - window, scale);
                    sum += entropy(scores, seen);
                }
            }
        }
        return sum / rows / heads;
    }

    /**
     * Sets the scores of the keys that a row sees; returns how many.
     *
     * @param after the position that they come after
     */
    private int scores(double[] to, int segment, int row, int head, int after, double scale) {
        int size = config.attention().headDim();
        int groups = config.attention().keyValueHeads();
        int heads = config.attention().heads();
        int query = (row * heads + head) * size;
        int seen = 0;
        for (int s = segment; s != Segments.NONE; s = segments.parent(s)) {
            int first = segments.keyStart(s) + Math.max(0, after + 1 - segments.depth(s));
            int last = s == segment ? row : segments.keyStart(s) + segments.keyLength(s) - 1;
            for (int key = first; key <= last; key++) {
                int at = (key * groups + head / (heads / groups)) * size;
                double dot = 0;
                for (int i = 0; i < size; i++) {
                    dot += queries[query + i] * values[at + i];
                }
                to[seen++] = scale * dot;
            }
        }
        return seen;
    }

    /** {@code −Σ p·log p = log Σ exp(s) − Σ p·s}. */
    private static double entropy(double[] scores, int count) {
        double most = Arrays.stream(scores, 0, count).max().orElseThrow();
        double all = 0;
        double weighted = 0;
        for (int i = 0; i < count; i++) {
            double e = Math.exp(scores[i] - most);
            all += e;
            weighted += e * (scores[i] - most);
        }
        return Math.log(all) - weighted / all;
    }
}
