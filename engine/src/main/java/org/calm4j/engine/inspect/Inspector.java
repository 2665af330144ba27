package org.calm4j.engine.inspect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.NotFinite;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.model.Unembedding;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * Runs a model on one text at a time and keeps values and gradients at hook points, changed on their way by the edits that are in force. The
 * model itself stays as it is. For one thread.
 */
public final class Inspector implements AutoCloseable {
    /** An edit in force until it is closed. */
    public final class Handle implements AutoCloseable {
        private final Edit edit;
        private final List<HookPoint.At> points;

        private Handle(Edit edit, List<HookPoint.At> points) {
            this.edit = edit;
            this.points = points;
        }

        /** Takes exactly this edit away; closing twice is harmless. */
        @Override
        public void close() {
            points.forEach(at -> edits.getOrDefault(at, new ArrayList<>()).removeIf(each -> each == this));
        }
    }

    private final CausalLm model;
    private final Backend backend;
    private final ModelConfig config;
    private final int longest;
    private final Map<HookPoint.At, List<Handle>> edits = new LinkedHashMap<>();
    private final PackedBatch batch = new PackedBatch();
    /** For the last run's kind; made again for another kind. */
    private Activations activations;

    private boolean hasLogits;
    private boolean hasGradients;
    private int mostTargets;

    /** @param longest tokens of a text at most */
    public Inspector(CausalLm model, int longest) {
        this.model = model;
        this.backend = model.backend();
        this.config = model.config();
        this.longest = longest;
        if (longest < 1 || longest > config.positions().limit()) {
            throw CalmException.badInput(
                    "the text has " + longest + " tokens",
                    "the model's max_position_embeddings is "
                            + config.positions().limit());
        }
    }

    public ModelConfig config() {
        return config;
    }

    CausalLm model() {
        return model;
    }

    /**
     * Puts an edit in force at points; edits of one point take place in the order in which they came.
     *
     * @param names a hook point's name or a pattern, see {@link HookNames}
     * @throws CalmException wrong usage: no such points, or such that cannot be changed
     */
    public Handle edit(String names, Edit edit) {
        List<HookPoint.At> points = HookNames.matching(config, names);
        for (HookPoint.At at : points) {
            if (!at.point().isChangeable()) {
                throw CalmException.usage(at.name() + " can be read and not changed");
            }
        }
        Handle handle = new Handle(edit, points);
        points.forEach(
                at -> edits.computeIfAbsent(at, none -> new ArrayList<>()).add(handle));
        return handle;
    }

    /**
     * A part of what is differentiated: a coefficient times the log-probability of a token after a row's text. The difference of two logits
     * of a row is that of their log-probabilities.
     */
    public record Target(int row, int token, double coefficient) {}

    /** Values of a text. */
    public Trace run(int[] tokens, Selection selection) {
        if (selection.gradients()) {
            throw new IllegalArgumentException("gradients need something to differentiate: give its targets");
        }
        return run(tokens, selection, List.of());
    }

    /**
     * Values of a text, and the gradients of the sum of its completion's log-probabilities.
     *
     * @param completionStart index of the completion's first token, at least 1
     */
    public Trace run(int[] tokens, int completionStart, Selection selection) {
        return run(
                tokens,
                selection,
                IntStream.range(completionStart, tokens.length)
                        .mapToObj(i -> new Target(i - 1, tokens[i], 1))
                        .toList());
    }

    /**
     * Values of a text, and the gradients of {@code Σ coefficient · log p(token)} over the targets.
     *
     * @param targets none without gradients
     */
    public Trace run(int[] tokens, Selection selection, List<Target> targets) {
        if (tokens.length > longest) {
            throw CalmException.badInput(
                    "the text has " + tokens.length + " tokens", "the inspector was made for " + longest);
        }
        selection.check(config, backend.computeType(), tokens.length);
        boolean logits = selection.points().stream().anyMatch(at -> at.point() == HookPoint.LOGITS);
        prepare(logits, selection.gradients(), targets.size());
        batch.clear();
        batch.prompt(tokens);
        for (int i = 0; i < tokens.length; i++) {
            // Every row is scored, the last one for any token, so that every row has logits.
            batch.score(i, i + 1 < tokens.length ? tokens[i + 1] : 0);
        }
        targets.forEach(target -> batch.score(target.row(), target.token()));
        Trace trace = new Trace();
        try {
            CausalLm tapped = model.tapped(new Keeper(trace, selection, tokens.length));
            tapped.forward(activations, batch, null);
            double[] logProbs = new double[batch.scored()];
            activations.readLogProbs(logProbs);
            trace.setLogProbs(Arrays.copyOf(logProbs, tokens.length - 1));
            if (!Arrays.stream(logProbs).allMatch(Double::isFinite)
                    && edits.values().stream().allMatch(List::isEmpty)) {
                throw NotFinite.explain(model);
            }
            if (selection.gradients()) {
                double[] coefficients = new double[batch.scored()];
                for (int i = 0; i < targets.size(); i++) {
                    coefficients[tokens.length + i] = targets.get(i).coefficient();
                }
                tapped.backward(new Gradients(null, null), activations, batch, coefficients, null, false);
            }
            return trace;
        } catch (RuntimeException | Error e) {
            trace.close();
            throw e;
        }
    }

    /**
     * The last norm and the head applied to a residual stream, of any layer: the logit lens.
     *
     * @param stream (T,C) in host memory
     * @return (T,V) in row-major order
     */
    public double[] unembed(Tensor stream) {
        return unembed(stream, null, 0);
    }

    /**
     * The same after a layer's map: the tuned lens.
     *
     * @param lens null for none
     * @param layer of the stream: 0 before the first block, l after block l − 1
     */
    public double[] unembed(Tensor stream, TunedLens lens, int layer) {
        prepare(true, false, 0);
        int rows = (int) stream.dim(0);
        try (Buffer memory = backend.allocate(2 * stream.bytes())) {
            Tensor there = new Tensor("stream", memory, 0, stream.type(), stream.shape());
            backend.copy(there, stream);
            if (lens != null) {
                Tensor mapped = new Tensor("mapped", memory, stream.bytes(), stream.type(), stream.shape());
                lens.map(mapped, there, layer);
                there = mapped;
            }
            new Unembedding(model).forward(activations, there);
        }
        double[] logits =
                new double[Math.multiplyExact(rows, config.vocabulary().size())];
        activations.readLogits(logits);
        return logits;
    }

    private void prepare(boolean logits, boolean gradients, int targets) {
        if (activations != null && (logits && !hasLogits || gradients && !hasGradients || targets > mostTargets)) {
            activations.close();
            activations = null;
        }
        if (activations == null) {
            hasLogits |= logits;
            hasGradients |= gradients;
            mostTargets = Math.max(mostTargets, targets);
            activations = new Activations(
                    backend,
                    config,
                    hasGradients ? Activations.Purpose.TRAINING : Activations.Purpose.INFERENCE,
                    Activations.Capacity.of(
                            model, longest, longest + mostTargets, longest, hasLogits ? longest + mostTargets : 0));
        }
    }

    /** Copies the selected values, after the edits. */
    private final class Keeper implements Tap {
        private final Trace trace;
        private final Selection selection;
        private final int tokens;
        private final Set<HookPoint.At> selected;

        Keeper(Trace trace, Selection selection, int tokens) {
            this.trace = trace;
            this.selection = selection;
            this.tokens = tokens;
            selected = new HashSet<>(selection.points());
        }

        @Override
        public boolean wants(HookPoint point, int layer) {
            HookPoint.At at = new HookPoint.At(point, layer);
            return selected.contains(at) || !edits.getOrDefault(at, List.of()).isEmpty();
        }

        @Override
        public void value(HookPoint point, int layer, Tensor value) {
            HookPoint.At at = new HookPoint.At(point, layer);
            List<Handle> handles = edits.getOrDefault(at, List.of());
            if (!handles.isEmpty()) {
                double[] x = read(value);
                handles.forEach(handle -> handle.edit.value(x, value.shape()));
                backend.write(value, x, x.length);
            }
            if (selected.contains(at)) {
                // Of logits, only each row's first: targets of its own come after all rows.
                trace.keep(at, false, copy(point, point == HookPoint.LOGITS ? value.rows(0, tokens) : value));
            }
        }

        @Override
        public void gradient(HookPoint point, int layer, Tensor gradient) {
            HookPoint.At at = new HookPoint.At(point, layer);
            if (selected.contains(at) && selection.gradients()) {
                trace.keep(at, true, copy(point, gradient));
            }
            List<Handle> handles = edits.getOrDefault(at, List.of());
            if (!handles.isEmpty()) {
                double[] d = read(gradient);
                handles.reversed().forEach(handle -> handle.edit.gradient(d, gradient.shape()));
                backend.write(gradient, d, d.length);
            }
        }

        private double[] read(Tensor x) {
            double[] values = new double[Math.toIntExact(x.size())];
            backend.read(values, x, values.length);
            return values;
        }

        private Tensor copy(HookPoint point, Tensor x) {
            long[] shape = selection.shape(point, config, tokens);
            Tensor to = new Tensor(point.name(0), new HostBuffer(bytes(shape)), 0, backend.computeType(), shape);
            try {
                if (selection.rows() == null) {
                    backend.copy(to, x);
                } else {
                    copyRows(to, x, point == HookPoint.PATTERN ? Math.toIntExact(shape[0]) : 1);
                }
                return to;
            } catch (RuntimeException | Error e) {
                to.buffer().close();
                throw e;
            }
        }

        /** The selected rows of each of this many stretches. */
        private void copyRows(Tensor to, Tensor x, int stretches) {
            int[] rows = selection.rows();
            long all = x.size() / stretches / tokens;
            Tensor from = x.view((long) stretches * tokens, all);
            Tensor into = to.view((long) stretches * rows.length, all);
            for (int s = 0; s < stretches; s++) {
                for (int i = 0; i < rows.length; i++) {
                    backend.copy(into.rows((long) s * rows.length + i, 1), from.rows((long) s * tokens + rows[i], 1));
                }
            }
        }

        private long bytes(long[] shape) {
            return Arrays.stream(shape).reduce(backend.computeType().bytes(), Math::multiplyExact);
        }
    }

    @Override
    public void close() {
        if (activations != null) {
            activations.close();
        }
    }
}
