package org.calm4j.engine.loss;

import java.util.ArrayList;
import java.util.List;

/** A loss on one question in two languages, a pair in each: log-probabilities in, a value and one coefficient per sequence out. */
public interface ConsistencyLoss {
    /** The name of the loss for pairs in two languages only. */
    String DCO = "dco";

    /**
     * @param first gradient with respect to the summed log-probabilities of the first language's completions; its loss is its part of the loss
     * @param second the same of the second language
     */
    record Value(PreferenceLoss.Value first, PreferenceLoss.Value second) {
        public double loss() {
            return first.loss() + second.loss();
        }
    }

    Value of(PreferenceLoss.Pair first, PreferenceLoss.Pair second);

    /**
     * {@code |Δ₁ − o₂/β| + |Δ₂ − β·o₁|}: Direct Consistency Optimization (Liu et al. 2026, arXiv 2603.04678), Δ the policy's minus the
     * reference's log-ratio of chosen and rejected in a language, o the reference's own: each language is pulled towards the product of both.
     * β is the influence of the first language on the second, and its inverse that of the second on the first; 1 treats them alike.
     */
    record DirectConsistency(double beta) implements ConsistencyLoss {
        @Override
        public Value of(PreferenceLoss.Pair first, PreferenceLoss.Pair second) {
            return new Value(
                    distance(first, second.referenceLogRatio() / beta),
                    distance(second, first.referenceLogRatio() * beta));
        }

        private static PreferenceLoss.Value distance(PreferenceLoss.Pair pair, double target) {
            double error = pair.margin() - target;
            return new PreferenceLoss.Value(Math.abs(error), Math.signum(error), -Math.signum(error));
        }
    }

    /** The mean of a one-language loss over both languages. */
    record Both(PreferenceLoss loss) implements ConsistencyLoss {
        @Override
        public Value of(PreferenceLoss.Pair first, PreferenceLoss.Pair second) {
            return new Value(loss.of(first).times(0.5), loss.of(second).times(0.5));
        }
    }

    /** {@code Σ weight · loss}. */
    record Weighted(List<ConsistencyLoss> losses, List<Double> weights) implements ConsistencyLoss {
        @Override
        public Value of(PreferenceLoss.Pair first, PreferenceLoss.Pair second) {
            var sum = new Value(new PreferenceLoss.Value(0, 0, 0), new PreferenceLoss.Value(0, 0, 0));
            for (int i = 0; i < losses.size(); i++) {
                Value value = losses.get(i).of(first, second);
                sum = new Value(
                        sum.first.plus(value.first.times(weights.get(i))),
                        sum.second.plus(value.second.times(weights.get(i))));
            }
            return sum;
        }
    }

    /**
     * {@code dco} and, besides it, losses of {@link PreferenceLoss} by their names.
     *
     * @param weights one per type; empty for 1 each
     * @throws org.calm4j.engine.CalmException wrong usage: an unknown name or another number of weights
     */
    static ConsistencyLoss of(List<String> types, List<Double> weights, LossParameters parameters) {
        PreferenceLoss.checkWeights(types, weights);
        List<ConsistencyLoss> losses = new ArrayList<>();
        for (String type : types) {
            losses.add(
                    type.equals(DCO)
                            ? new DirectConsistency(parameters.beta())
                            : new Both(PreferenceLoss.of(List.of(type), List.of(), parameters)));
        }
        return new Weighted(
                losses, weights.isEmpty() ? losses.stream().map(loss -> 1.0).toList() : weights);
    }
}
