package org.calm4j.engine.train.optim;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ModelConfig;
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
 * Schedule-Free AdamW (Defazio et al. 2024, arXiv 2405.15682, algorithm 1): gradients are taken at y, an average x of the sequence z takes
 * the place of a schedule, and x is the model. As the authors' {@code AdamWScheduleFree}; with γ the rate, λ the decay and t the updates from 1:
 *
 * <pre>
 * d = ∇f(y) / (√v̂ + ε) + λ·y            v as in AdamW, and no first moment
 * c = w / Σw,  w = tʳ · (largest γ so far)ᵖ
 * z = z − γ·d
 * x = (1 − c)·x + c·z
 * y = (1 − β₁)·z + β₁·x
 * </pre>
 *
 * <p>Weights are y while they are trained: x is not kept, {@code x = (y − (1 − β₁)·z) / β₁}.
 *
 * @param r power of t in the weights of the average
 * @param weightLrPower p, the power of the rate in them: what the warm-up counts
 */
public record ScheduleFreeAdamW(double r, double weightLrPower) implements Optimizer {
    static final String Z = "z.";
    private static final String WEIGHT_SUM = "weight_sum";
    private static final String HIGHEST = "lr_max";

    @Override
    public Kind kind() {
        return Kind.SCHEDULE_FREE_ADAMW;
    }

    @Override
    public void check(UpdateSettings update, AdamW adamW, Schedule.Kind schedule, boolean divided) {
        Optimizer.super.check(update, adamW, schedule, divided);
        Setting own = Setting.of("optimizer").at(Kind.SCHEDULE_FREE_ADAMW);
        Setting.of("ema_decay")
                .check(update.emaDecay() == 0, "does not go with ", own, ", whose model is an average already");
        Setting.of("lr_scheduler")
                .check(
                        schedule == Schedule.Kind.CONSTANT || schedule == Schedule.Kind.CONSTANT_WITH_WARMUP,
                        "must be constant with ",
                        own,
                        ", which takes the place of a schedule");
        Setting.of("adam_beta1").check(adamW.beta1() > 0, "must be above 0 with ", own);
    }

    @Override
    public long bytes(OptimizerMemory memory, ModelConfig config, Map<String, long[]> trained, DType compute) {
        return 2 * Optimizer.bytes(trained, compute) + 2 * stretch(trained) * compute.bytes();
    }

    /** Elements that a step changes at a time. */
    private static long stretch(Map<String, long[]> trained) {
        long largest =
                trained.values().stream().mapToLong(Tensor::product).max().orElse(0);
        return Math.min(OptimizerMemory.STRETCH, largest);
    }

    @Override
    public OptimizerState begin(
            CausalLm model, Settings settings, Slab weights, Collectives collectives, Division division) {
        return new State(model.backend(), settings.adamW(), weights);
    }

    private final class State implements OptimizerState {
        private final Backend backend;
        private final double beta1;
        /** Of the direction d, which has no first moment. */
        private final AdamW direction;

        private final Slab z;
        private final Slab second;
        /** d of a stretch of elements, and the first moment that it does not have. */
        private final Buffer stretch;

        private double highest;
        private double weightSum;
        /** c. */
        private double share;

        State(Backend backend, AdamW adamW, Slab weights) {
            this.backend = backend;
            beta1 = adamW.beta1();
            direction = new AdamW(0, adamW.beta2(), adamW.epsilon());
            List<Tensor> all = List.copyOf(weights.tensors());
            z = Optimizer.zeros(backend, all);
            second = Optimizer.zeros(backend, all);
            backend.copy(whole(z), whole(weights));
            stretch = backend.allocate(
                    2 * stretch(weights.shapes()) * backend.computeType().bytes());
        }

        private Tensor whole(Slab slab) {
            return slab.whole(backend.computeType());
        }

        @Override
        public void begin(double height, int updates) {
            highest = Math.max(highest, height);
            double weight = Math.pow(updates, r) * Math.pow(highest, weightLrPower);
            weightSum += weight;
            share = weightSum == 0 ? 0 : weight / weightSum;
        }

        @Override
        public void update(
                List<Tensor> weights,
                List<Tensor> gradients,
                double rate,
                double[] decay,
                double gradScale,
                int updates) {
            for (int i = 0; i < decay.length; i++) {
                Tensor weight = weights.get(i);
                for (long first = 0; first < weight.size(); first += OptimizerMemory.STRETCH) {
                    long count = Math.min(OptimizerMemory.STRETCH, weight.size() - first);
                    update(weight, gradients.get(i), first, count, rate, decay[i], gradScale, updates);
                }
            }
        }

        private void update(
                Tensor weight,
                Tensor gradient,
                long first,
                long count,
                double rate,
                double decay,
                double gradScale,
                int updates) {
            Tensor y = part(weight, first, count);
            Tensor zPart = part(z.get(weight.name()), first, count);
            Tensor v = part(second.get(weight.name()), first, count);
            Tensor grad = part(gradient, first, count);
            Tensor both = new Tensor("direction", stretch, 0, y.type(), 2 * count);
            backend.zero(both);
            Tensor d = both.rows(0, count);
            // A step of length one from zero is −d.
            backend.adamW(d, both.rows(count, count), v, grad, direction, 1, 0, gradScale, updates);
            backend.combine(d, 1, y, -decay);
            backend.combine(y, 1 - share, zPart, share);
            backend.combine(y, 1, d, rate * (1 - beta1 * (1 - share)));
            backend.combine(zPart, 1, d, rate);
        }

        private static Tensor part(Tensor tensor, long first, long count) {
            return tensor.view(tensor.size()).rows(first, count);
        }

        @Override
        public Map<String, Slab> slabs() {
            Map<String, Slab> slabs = new LinkedHashMap<>();
            slabs.put(Z, z);
            slabs.put(SECOND, second);
            return slabs;
        }

        @Override
        public Map<String, Double> numbers() {
            Map<String, Double> numbers = new LinkedHashMap<>();
            numbers.put(HIGHEST, highest);
            numbers.put(WEIGHT_SUM, weightSum);
            return numbers;
        }

        @Override
        public void load(Backend backend, Stored stored, Map<String, Double> numbers) {
            OptimizerState.super.load(backend, stored, numbers);
            weightSum = numbers.get(WEIGHT_SUM);
            highest = numbers.get(HIGHEST);
        }

        @Override
        public boolean trainsOtherWeights() {
            return true;
        }

        @Override
        public void toModel(Slab weights) {
            backend.combine(whole(weights), 1 / beta1, whole(z), 1 - 1 / beta1);
        }

        @Override
        public long bytes() {
            return z.bytes() + second.bytes() + stretch.bytes();
        }

        @Override
        public void close() {
            z.close();
            second.close();
            stretch.close();
        }
    }
}
