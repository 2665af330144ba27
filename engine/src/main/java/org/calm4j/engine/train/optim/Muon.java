package org.calm4j.engine.train.optim;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.ToLongFunction;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.WeightLayout;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Collectives;
import org.calm4j.engine.train.division.Division;

/**
 * Muon (Jordan et al. 2024, <i>Muon: an optimizer for hidden layers in neural networks</i>): the momentum of a matrix is made nearly
 * orthogonal by {@link NewtonSchulz} before the matrix is changed by it. As PyTorch's {@code torch.optim.Muon}, but for the products, which
 * have the backend's precision, and are BF16 there. With μ the momentum, s the factor of gradients and f that of {@link AdjustRate}:
 *
 * <pre>
 * buffer = μ · buffer + (1 − μ) · s · gradient
 * update = NewtonSchulz((1 − μ) · s · gradient + μ · buffer)          Nesterov's momentum
 * weight = (1 − rate · decay) · weight − rate · f · update
 * </pre>
 *
 * <p>It is for the matrices of blocks and of adapters; queries, keys and values in one tensor are three. Embeddings, the head, norms and other
 * vectors are left to AdamW.
 *
 * @param momentum μ, from 0 to below 1
 * @param adamWPeak the peak learning rate of what is left to AdamW; null for that of the run
 */
public record Muon(double momentum, AdjustRate adjustRate, Double adamWPeak) implements Optimizer {
    static final String MOMENTUM = "momentum_buffer.";

    /** Factors of the learning rate of a matrix (O,I); names as in PyTorch. */
    public enum AdjustRate {
        /** {@code √max(1, O/I)} (Jordan et al. 2024). */
        ORIGINAL,
        /** {@code 0.2 · √max(O, I)}: changes are as large as AdamW's at the same rate (Liu et al. 2025, arXiv 2502.16982, section 2.2). */
        MATCH_RMS_ADAMW;

        private static final double RMS_OF_ADAMW = 0.2;

        double factor(long outputs, long inputs) {
            return this == ORIGINAL
                    ? Math.sqrt(Math.max(1, (double) outputs / inputs))
                    : RMS_OF_ADAMW * Math.sqrt(Math.max(outputs, inputs));
        }

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Override
    public Kind kind() {
        return Kind.MUON;
    }

    /** Whether a weight is a matrix of a block or of an adapter. */
    private static boolean takes(ModelConfig config, String name, long[] shape) {
        WeightLayout layout = config.layout();
        return shape.length == 2
                && !Set.of(layout.embedding(), WeightLayout.HEAD).contains(name)
                && !name.equals(layout.positions());
    }

    @Override
    public Double peak(ModelConfig config, Tensor weight) {
        return takes(config, weight.name(), weight.shape()) ? null : adamWPeak;
    }

    @Override
    public long bytes(OptimizerMemory memory, ModelConfig config, Map<String, long[]> trained, DType compute) {
        Map<String, long[]> hidden = new LinkedHashMap<>(trained);
        hidden.entrySet().removeIf(each -> !takes(config, each.getKey(), each.getValue()));
        Map<String, long[]> others = new LinkedHashMap<>(trained);
        others.keySet().removeAll(hidden.keySet());
        List<Matrices> matrices = hidden.entrySet().stream()
                .map(each -> Matrices.of(config, each.getKey(), each.getValue()))
                .toList();
        return Optimizer.bytes(hidden, compute) + 2 * Optimizer.bytes(others, compute) + Work.bytes(matrices, compute);
    }

    @Override
    public OptimizerState begin(
            CausalLm model, Settings settings, Slab weights, Collectives collectives, Division division) {
        return new State(model, settings.adamW(), weights);
    }

    /** The momentum of matrices, and AdamW's moments of the rest. */
    private final class State implements OptimizerState {
        private final Backend backend;
        private final AdamW adamW;
        private final Map<String, Matrices> matrices = new HashMap<>();
        private final Slab buffers;
        private final Slab first;
        private final Slab second;
        private final Work work;

        State(CausalLm model, AdamW adamW, Slab weights) {
            backend = model.backend();
            this.adamW = adamW;
            List<Tensor> hidden = new ArrayList<>();
            List<Tensor> others = new ArrayList<>();
            for (Tensor weight : weights.tensors()) {
                if (takes(model.config(), weight.name(), weight.shape())) {
                    matrices.put(weight.name(), Matrices.of(model.config(), weight.name(), weight.shape()));
                    hidden.add(weight);
                } else {
                    others.add(weight);
                }
            }
            buffers = Optimizer.zeros(backend, hidden);
            first = Optimizer.zeros(backend, others);
            second = Optimizer.zeros(backend, others);
            work = new Work(backend, matrices.values());
        }

        @Override
        public void update(
                List<Tensor> weights,
                List<Tensor> gradients,
                double rate,
                double[] decay,
                double gradScale,
                int updates) {
            List<Integer> others = new ArrayList<>();
            for (int i = 0; i < decay.length; i++) {
                if (matrices.containsKey(weights.get(i).name())) {
                    update(weights.get(i), gradients.get(i), rate, decay[i], gradScale);
                } else {
                    others.add(i);
                }
            }
            List<Tensor> members = others.stream().map(weights::get).toList();
            backend.adamW(
                    members,
                    members.stream().map(each -> first.get(each.name())).toList(),
                    members.stream().map(each -> second.get(each.name())).toList(),
                    others.stream().map(gradients::get).toList(),
                    adamW,
                    rate,
                    others.stream().mapToDouble(i -> decay[i]).toArray(),
                    gradScale,
                    updates);
        }

        private void update(Tensor weight, Tensor gradient, double rate, double decay, double gradScale) {
            Tensor buffer = buffers.get(weight.name());
            backend.combine(buffer, momentum, gradient, (1 - momentum) * gradScale);
            Tensor update = work.update(weight.shape());
            backend.copy(update, gradient);
            backend.combine(update, (1 - momentum) * gradScale, buffer, momentum);
            work.orthogonalize(update, matrices.get(weight.name()), adjustRate);
            backend.combine(weight, 1 - rate * decay, update, -rate);
        }

        @Override
        public Map<String, Slab> slabs() {
            Map<String, Slab> slabs = new LinkedHashMap<>();
            slabs.put(MOMENTUM, buffers);
            slabs.put(FIRST, first);
            slabs.put(SECOND, second);
            return slabs;
        }

        @Override
        public long bytes() {
            return buffers.bytes()
                    + first.bytes()
                    + second.bytes()
                    + Work.bytes(matrices.values(), backend.computeType());
        }

        @Override
        public void close() {
            buffers.close();
            first.close();
            second.close();
            work.close();
        }
    }

    /** Memory of a step, for one tensor at a time. */
    private static final class Work implements AutoCloseable {
        private final Backend backend;
        private final NewtonSchulz newtonSchulz;
        private final Buffer update;
        /** A matrix whose elements are apart in its tensor, and the numbers of its pieces there. */
        private final Buffer gathered;

        private final Buffer pieces;
        /** Whose pieces they are; null for none. */
        private Matrices indexed;

        Work(Backend backend, Collection<Matrices> all) {
            this.backend = backend;
            int size = backend.computeType().bytes();
            newtonSchulz = new NewtonSchulz(backend, most(all, Matrices::largest), most(all, Matrices::side));
            update = backend.allocate(most(all, Matrices::size) * size);
            gathered = backend.allocate(most(all, Work::apart) * size);
            pieces = backend.allocate(most(all, Work::pieces) * DType.I32.bytes());
        }

        static long bytes(Collection<Matrices> all, DType compute) {
            long elements = NewtonSchulz.elements(most(all, Matrices::largest), most(all, Matrices::side))
                    + most(all, Matrices::size)
                    + most(all, Work::apart);
            return elements * compute.bytes() + most(all, Work::pieces) * DType.I32.bytes();
        }

        private static long most(Collection<Matrices> all, ToLongFunction<Matrices> of) {
            return all.stream().mapToLong(of).max().orElse(0);
        }

        private static long apart(Matrices matrices) {
            return matrices.areApart() ? matrices.largest() : 0;
        }

        private static long pieces(Matrices matrices) {
            return matrices.areApart() ? matrices.size() / matrices.piece() : 0;
        }

        Tensor update(long[] shape) {
            return new Tensor("update", update, 0, backend.computeType(), shape);
        }

        void orthogonalize(Tensor tensor, Matrices matrices, AdjustRate adjustRate) {
            long first = 0;
            for (long outputs : matrices.outputs()) {
                double factor = adjustRate.factor(outputs, matrices.inputs());
                if (matrices.areApart()) {
                    apart(tensor, matrices, first, outputs, factor);
                } else if (matrices.transposed()) {
                    newtonSchulz.apply(tensor, factor);
                } else {
                    newtonSchulz.apply(tensor.rows(first, outputs), factor);
                }
                first += outputs;
            }
        }

        /** Gathers the rows of a matrix, and puts them back. */
        private void apart(Tensor tensor, Matrices matrices, long first, long outputs, double factor) {
            long piece = matrices.piece();
            if (indexed != matrices) {
                int[] numbers = matrices.pieces();
                backend.write(new Tensor("pieces", pieces, 0, DType.I32, numbers.length), numbers, numbers.length);
                indexed = matrices;
            }
            long count = outputs * matrices.inputs() / piece;
            Tensor index = new Tensor(
                    "pieces", pieces, first * matrices.inputs() / piece * DType.I32.bytes(), DType.I32, count);
            Tensor table = tensor.view(tensor.size() / piece, piece);
            Tensor matrix = new Tensor("matrix", gathered, 0, tensor.type(), matrices.inputs(), outputs);
            backend.embeddingForward(matrix.view(count, piece), table, index, false);
            newtonSchulz.apply(matrix, factor);
            backend.scatter(table, matrix.view(count, piece), index);
        }

        @Override
        public void close() {
            newtonSchulz.close();
            update.close();
            gathered.close();
            pieces.close();
        }
    }
}
