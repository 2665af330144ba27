package org.calm4j.engine.inspect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * What edits of one value, each alone, do to the logits after a text: many copies of the text in a pass, which share what is as it was: the
 * layers before the value, and the tokens before the first that an edit changes. For one thread.
 */
public final class Variants implements AutoCloseable {
    /** Rows of a pass, if one copy does not need more. */
    private static final int ROWS = 2048;

    /** Tokens that are shared or not together: attention takes pieces one by one. */
    private static final int PIECE = 4;

    /** Copies in a pass at most, each of which has logits. */
    private static final int COPIES = 128;

    private final CausalLm model;
    private final Backend backend;
    private final ModelConfig config;
    private final Activations activations;
    private final Buffer streams;
    private final PackedBatch batch = new PackedBatch();

    /** @param longest tokens of a text at most */
    public Variants(CausalLm model, int longest) {
        this.model = model;
        backend = model.backend();
        config = model.config();
        if (longest > config.positions().limit()) {
            throw CalmException.badInput(
                    "the text has " + longest + " tokens",
                    "the model's max_position_embeddings is "
                            + config.positions().limit());
        }
        int rows = Math.max(ROWS, 2 * longest);
        activations = new Activations(
                backend,
                config,
                Activations.Purpose.INFERENCE,
                new Activations.Capacity(rows, COPIES, longest, COPIES, model.loraRank()));
        streams = backend.allocate(
                (long) rows * config.hiddenSize() * backend.computeType().bytes());
    }

    /** The layer that a pass begins with where a point is edited. */
    private static int begin(HookPoint.At at) {
        return at.point() == HookPoint.RESID_POST ? at.layer() + 1 : at.layer();
    }

    /** The name of the point whose value {@link #logits} needs of the text's run: the stream where the passes begin. */
    public static String stream(HookPoint.At at, ModelConfig config) {
        int layer = begin(at);
        return layer == config.layers() ? HookPoint.RESID_POST.name(layer - 1) : HookPoint.RESID_PRE.name(layer);
    }

    /**
     * Logits at the text's last position.
     *
     * @param at a point of a layer
     * @param stream (T,C) the value of {@link #stream} in the text's own run
     * @return a row (V) for each edit
     */
    public List<double[]> logits(int[] tokens, HookPoint.At at, Tensor stream, List<Edit> edits) {
        if (!at.point().isOfLayer() || !at.point().isChangeable()) {
            throw new IllegalArgumentException(at.name() + " is no value of a layer that can be changed");
        }
        List<double[]> all = new ArrayList<>();
        for (int first = 0; first < edits.size(); ) {
            int rows = tokens.length;
            int end = first;
            while (end < edits.size() && end - first < COPIES && (end == first || rows <= ROWS)) {
                rows += tokens.length - start(edits.get(end), tokens.length);
                if (end == first || rows <= ROWS) {
                    end++;
                }
            }
            all.addAll(pass(tokens, at, stream, edits.subList(first, end)));
            first = end;
        }
        return all;
    }

    /** The first token that a copy has of its own; it has the last one, whose logits are asked for. */
    private static int start(Edit edit, int tokens) {
        return Math.min(edit.where().firstRow(), tokens - 1) / PIECE * PIECE;
    }

    private List<double[]> pass(int[] tokens, HookPoint.At at, Tensor stream, List<Edit> edits) {
        batch.clear();
        int shared = edits.stream()
                .mapToInt(edit -> start(edit, tokens.length))
                .max()
                .orElse(0);
        // By where they end.
        int[] pieces = new int[shared / PIECE + 1];
        pieces[0] = Segments.NONE;
        for (int end = PIECE; end <= shared; end += PIECE) {
            pieces[end / PIECE] = batch.piece(Arrays.copyOfRange(tokens, end - PIECE, end), pieces[end / PIECE - 1]);
        }
        Tensor copies = new Tensor(
                "streams",
                streams,
                0,
                backend.computeType(),
                activations.capacity().rows(),
                config.hiddenSize());
        backend.copy(copies.rows(0, shared), stream.rows(0, shared));
        int[] places = new int[edits.size()];
        for (int i = 0; i < places.length; i++) {
            int start = start(edits.get(i), tokens.length);
            int own = tokens.length - start;
            places[i] = batch.rows();
            backend.copy(copies.rows(places[i], own), stream.rows(start, own));
            batch.piece(Arrays.copyOfRange(tokens, start, tokens.length), pieces[start / PIECE]);
            batch.score(batch.rows() - 1, 0);
        }
        model.tapped(new Each(backend, at, edits, places, tokens.length))
                .logits(activations, batch, begin(at), copies.rows(0, batch.rows()));
        int words = config.vocabulary().size();
        double[] logits = new double[Math.multiplyExact(places.length, words)];
        activations.readLogits(logits);
        List<double[]> rows = new ArrayList<>();
        for (int i = 0; i < places.length; i++) {
            rows.add(Arrays.copyOfRange(logits, i * words, (i + 1) * words));
        }
        return rows;
    }

    /**
     * Changes each copy by its own edit.
     *
     * @param places the rows at which the copies begin
     * @param count tokens of the text
     */
    private record Each(Backend backend, HookPoint.At at, List<Edit> edits, int[] places, int count) implements Tap {
        @Override
        public boolean wants(HookPoint point, int layer) {
            return point == at.point() && layer == at.layer();
        }

        @Override
        public void value(HookPoint point, int layer, Tensor value) {
            long[] shape = value.shape();
            shape[0] = count;
            double[] whole = new double[Math.toIntExact(count * value.rowSize())];
            for (int i = 0; i < places.length; i++) {
                int start = start(edits.get(i), count);
                Tensor copy = value.rows(places[i], count - start);
                int before = whole.length - (int) copy.size();
                double[] own = new double[whole.length - before];
                backend.read(own, copy, own.length);
                System.arraycopy(own, 0, whole, before, own.length);
                edits.get(i).value(whole, shape);
                System.arraycopy(whole, before, own, 0, own.length);
                backend.write(copy, own, own.length);
            }
        }

        @Override
        public void gradient(HookPoint point, int layer, Tensor gradient) {
            throw new IllegalStateException("nothing is differentiated");
        }
    }

    @Override
    public void close() {
        activations.close();
        streams.close();
    }
}
