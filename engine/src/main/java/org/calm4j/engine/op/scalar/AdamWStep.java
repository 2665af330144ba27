package org.calm4j.engine.op.scalar;

import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.tensor.Tensor;

/** One step of AdamW (Loshchilov &amp; Hutter 2019, algorithm 2), in PyTorch's order: decay first, ε beside √v̂. */
final class AdamWStep {
    private AdamWStep() {}

    /** Updates w, m and v in place; {@code step} counts from 1. */
    static void apply(
            Tensor w,
            Tensor m,
            Tensor v,
            Tensor grad,
            AdamW settings,
            double learningRate,
            double weightDecay,
            double gradScale,
            long step) {
        double correction1 = 1 - Math.pow(settings.beta1(), step);
        double correction2 = 1 - Math.pow(settings.beta2(), step);
        for (long i = 0; i < w.size(); i++) {
            double g = gradScale * grad.get(i);
            double first = settings.beta1() * m.get(i) + (1 - settings.beta1()) * g;
            double second = settings.beta2() * v.get(i) + (1 - settings.beta2()) * g * g;
            m.set(i, first);
            v.set(i, second);
            double decayed = w.get(i) * (1 - learningRate * weightDecay);
            w.set(
                    i,
                    decayed
                            - learningRate
                                    * (first / correction1)
                                    / (Math.sqrt(second / correction2) + settings.epsilon()));
        }
    }
}
