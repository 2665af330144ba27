package org.calm4j.engine.loss;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/** A loss on one preference pair: log-probabilities in, a value and one coefficient per sequence out. */
public interface PreferenceLoss {
    /** A loss by its name in TRL's {@code loss_type}. */
    record Named(String name, Made made) {
        /** Makes the loss from β and label smoothing, if it uses them. */
        @FunctionalInterface
        interface Made {
            PreferenceLoss with(double beta, double labelSmoothing);
        }
    }

    /** All of them. */
    List<Named> ALL = List.of(
            new Named("sigmoid", DpoSigmoid::new),
            new Named("sft", (beta, labelSmoothing) -> new ChosenNll()),
            new Named("robust", Robust::new),
            new Named("hinge", (beta, labelSmoothing) -> new Hinge(beta)),
            new Named("ipo", (beta, labelSmoothing) -> new Ipo(beta)),
            new Named("sppo_hard", (beta, labelSmoothing) -> new SppoHard(beta)),
            new Named("nca_pair", (beta, labelSmoothing) -> new Nca(beta)),
            new Named("apo_zero", (beta, labelSmoothing) -> new ApoZero(beta)),
            new Named("apo_down", (beta, labelSmoothing) -> new ApoDown(beta)));

    List<String> NAMES = ALL.stream().map(Named::name).toList();

    /**
     * Log-probabilities of a pair's completions, summed over their tokens.
     *
     * @param chosenTokens number of tokens of the chosen completion
     * @param rejectedTokens the same of the rejected one
     */
    record Pair(
            double chosen,
            double rejected,
            double referenceChosen,
            double referenceRejected,
            int chosenTokens,
            int rejectedTokens) {
        /** How much more the policy prefers the chosen one than the reference does: what DPO's β multiplies. */
        public double margin() {
            return chosenLogRatio() - rejectedLogRatio();
        }

        double chosenLogRatio() {
            return chosen - referenceChosen;
        }

        double rejectedLogRatio() {
            return rejected - referenceRejected;
        }

        /** How much more probable the reference finds the chosen one than the rejected one, as a difference of logs. */
        public double referenceLogRatio() {
            return referenceChosen - referenceRejected;
        }
    }

    /**
     * @param dChosen gradient with respect to the chosen completion's summed log-probability
     * @param dRejected the same for the rejected one
     */
    record Value(double loss, double dChosen, double dRejected) {
        Value plus(Value other) {
            return new Value(loss + other.loss, dChosen + other.dChosen, dRejected + other.dRejected);
        }

        Value times(double factor) {
            return new Value(factor * loss, factor * dChosen, factor * dRejected);
        }
    }

    Value of(Pair pair);

    /**
     * {@code −(1−s)·log σ(β·margin) − s·log σ(−β·margin)}: DPO (Rafailov et al. 2023, eq. 7), with label smoothing as in conservative DPO
     * (Mitchell 2023). DPO's gradient (section 4 of the paper) is {@code −β·σ(−β·margin)} for the chosen log-probability and its negative for
     * the rejected one: the worse the pair is ordered, the larger.
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

    /**
     * {@code (−(1−s)·log σ(β·margin) + s·log σ(−β·margin)) / (1−2s)}: an unbiased estimate of DPO's loss when a share s of the pairs is the
     * wrong way round (Chowdhury et al. 2024, provably robust DPO).
     */
    record Robust(double beta, double labelSmoothing) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double logit = beta * pair.margin();
            double loss = (1 - labelSmoothing) * softplus(-logit) - labelSmoothing * softplus(logit);
            double gradient = -beta * (labelSmoothing * sigmoid(logit) + (1 - labelSmoothing) * sigmoid(-logit));
            double share = 1 - 2 * labelSmoothing;
            return new Value(loss / share, gradient / share, -gradient / share);
        }
    }

    /** {@code max(0, 1 − β·margin)}: SLiC's hinge (Zhao et al. 2023), normalized by the reference as in RSO (Liu et al. 2024). */
    record Hinge(double beta) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double slack = 1 - beta * pair.margin();
            return slack > 0 ? new Value(slack, -beta, beta) : new Value(0, 0, 0);
        }
    }

    /**
     * {@code (margin − 1/(2β))²} with log-probabilities per token instead of sums, as in TRL: identity preference optimization (Azar et al.
     * 2024, eq. 17).
     */
    record Ipo(double beta) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double margin =
                    pair.chosenLogRatio() / pair.chosenTokens() - pair.rejectedLogRatio() / pair.rejectedTokens();
            double error = margin - 1 / (2 * beta);
            return new Value(error * error, 2 * error / pair.chosenTokens(), -2 * error / pair.rejectedTokens());
        }
    }

    /** {@code (a − 1/(2β))² + (b + 1/(2β))²}, a and b the log-ratios of the chosen and the rejected: SPPO with hard labels (Wu et al. 2024, eq. 4.7). */
    record SppoHard(double beta) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double chosen = pair.chosenLogRatio() - 1 / (2 * beta);
            double rejected = pair.rejectedLogRatio() + 1 / (2 * beta);
            return new Value(chosen * chosen + rejected * rejected, 2 * chosen, 2 * rejected);
        }
    }

    /** {@code −log σ(β·a) − ½·log σ(−β·a) − ½·log σ(−β·b)}: noise contrastive alignment (Chen et al. 2024). */
    record Nca(double beta) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double chosen = beta * pair.chosenLogRatio();
            double rejected = beta * pair.rejectedLogRatio();
            return new Value(
                    softplus(-chosen) + 0.5 * softplus(chosen) + 0.5 * softplus(rejected),
                    beta * (0.5 * sigmoid(chosen) - sigmoid(-chosen)),
                    beta * 0.5 * sigmoid(rejected));
        }
    }

    /** {@code 1 − σ(β·a) + σ(β·b)}: anchored preference optimization where the chosen is better than the model (D'Oosterlinck et al. 2024, eq. 7). */
    record ApoZero(double beta) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double chosen = sigmoid(beta * pair.chosenLogRatio());
            double rejected = sigmoid(beta * pair.rejectedLogRatio());
            return new Value(1 - chosen + rejected, -beta * chosen * (1 - chosen), beta * rejected * (1 - rejected));
        }
    }

    /** {@code σ(β·a) + 1 − σ(β·(a−b))}: the same where the chosen is worse than the model (eq. 8). */
    record ApoDown(double beta) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double chosen = sigmoid(beta * pair.chosenLogRatio());
            double margin = sigmoid(beta * pair.margin());
            double dMargin = beta * margin * (1 - margin);
            return new Value(chosen + 1 - margin, beta * chosen * (1 - chosen) - dMargin, dMargin);
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
            Value sum = new Value(0, 0, 0);
            for (int i = 0; i < losses.size(); i++) {
                sum = sum.plus(losses.get(i).of(pair).times(weights.get(i)));
            }
            return sum;
        }
    }

    /**
     * Losses by their names in TRL's {@code loss_type}.
     *
     * @param weights one per type; empty for 1 each
     * @throws CalmException wrong usage: an unknown name or another number of weights
     */
    static PreferenceLoss of(List<String> types, List<Double> weights, double beta, double labelSmoothing) {
        checkWeights(types, weights);
        List<PreferenceLoss> losses = new ArrayList<>();
        for (String type : types) {
            losses.add(ALL.stream()
                    .filter(each -> each.name.equals(type))
                    .findFirst()
                    .orElseThrow(() -> CalmException.usage(
                            "unknown ",
                            Setting.of("loss_type"),
                            " \"" + type + "\"; known: " + String.join(", ", NAMES) + ", " + ConsistencyLoss.DCO))
                    .made
                    .with(beta, labelSmoothing));
        }
        return new Weighted(
                losses, weights.isEmpty() ? losses.stream().map(loss -> 1.0).toList() : weights);
    }

    /** @throws CalmException wrong usage: there are weights, and not one for each type */
    static void checkWeights(List<String> types, List<Double> weights) {
        if (!weights.isEmpty() && weights.size() != types.size()) {
            throw CalmException.usage(
                    Setting.of("loss_weights"),
                    " has " + weights.size() + " values for " + types.size() + " of ",
                    Setting.of("loss_type"));
        }
    }

    /** {@code log(1 + eˣ)} without overflow. */
    private static double softplus(double x) {
        return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }

    private static double sigmoid(double x) {
        return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
    }
}
