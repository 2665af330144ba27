package org.calm4j.engine.loss;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;

/** A loss on one preference pair: log-probabilities in, a value and one coefficient per sequence out. */
public interface PreferenceLoss {
    /**
     * Log-probabilities of a pair's completions, summed over their tokens.
     *
     * @param chosenTokens number of tokens of the chosen completion
     */
    record Pair(double chosen, double rejected, double referenceChosen, double referenceRejected, int chosenTokens) {
        /** How much more the policy prefers the chosen one than the reference does: what DPO's β multiplies. */
        public double margin() {
            return chosen - referenceChosen - (rejected - referenceRejected);
        }
    }

    /**
     * @param dChosen gradient with respect to the chosen completion's summed log-probability
     * @param dRejected the same for the rejected one
     */
    record Value(double loss, double dChosen, double dRejected) {
    }

    Value of(Pair pair);

    /**
     * {@code −(1−s)·log σ(β·margin) − s·log σ(−β·margin)}: DPO (Rafailov et al. 2023, eq. 7), with label smoothing as in conservative DPO
     * (Mitchell 2023).
     */
    record DpoSigmoid(double beta, double labelSmoothing) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double logit = beta * pair.margin();
            double loss = (1 - labelSmoothing) * softplus(-logit) + labelSmoothing * softplus(logit);
            double gradient = beta * (labelSmoothing * sigmoid(logit) - (1 - labelSmoothing) * sigmoid(-logit));
            return new Value(loss, gradient, -gradient);
        }
    }

    /** Mean negative log-likelihood of the chosen completion's tokens: {@code sft} in TRL. */
    record ChosenNll() implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            return new Value(-pair.chosen() / pair.chosenTokens(), -1.0 / pair.chosenTokens(), 0);
        }
    }

    /** {@code Σ weight · loss}. */
    record Weighted(List<PreferenceLoss> losses, List<Double> weights) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double loss = 0;
            double dChosen = 0;
            double dRejected = 0;
            for (int i = 0; i < losses.size(); i++) {
                Value value = losses.get(i).of(pair);
                loss += weights.get(i) * value.loss();
                dChosen += weights.get(i) * value.dChosen();
                dRejected += weights.get(i) * value.dRejected();
            }
            return new Value(loss, dChosen, dRejected);
        }
    }

    /**
     * Losses by their names in TRL's {@code loss_type}.
     *
     * @param weights one per type; empty for 1 each
     * @throws CalmException wrong usage: an unknown name or another number of weights
     */
    static PreferenceLoss of(List<String> types, List<Double> weights, double beta, double labelSmoothing) {
        if (!weights.isEmpty() && weights.size() != types.size()) {
            throw CalmException.usage("--loss-weights has " + weights.size() + " values for " + types.size() + " of --loss-type");
        }
        List<PreferenceLoss> losses = new ArrayList<>();
        for (String type : types) {
            losses.add(switch (type) {
                case "sigmoid" -> new DpoSigmoid(beta, labelSmoothing);
                case "sft" -> new ChosenNll();
                default -> throw CalmException.usage("unknown --loss-type \"" + type + "\"; known: sigmoid, sft");
            });
        }
        return new Weighted(losses, weights.isEmpty() ? losses.stream().map(loss -> 1.0).toList() : weights);
    }

    /** {@code log(1 + eˣ)} without overflow. */
    private static double softplus(double x) {
        return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }

    private static double sigmoid(double x) {
        return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
    }
}
