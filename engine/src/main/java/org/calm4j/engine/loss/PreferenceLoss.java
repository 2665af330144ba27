package org.calm4j.engine.loss;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/** A loss on one preference pair: log-probabilities in, a value and one coefficient per sequence out. */
public interface PreferenceLoss {
    /** A loss by its name in TRL's {@code loss_type}. */
    record Named(String name, Sees sees, Function<LossParameters, PreferenceLoss> made) {}

    /** What of a pair a loss is a function of. */
    enum Sees {
        /** Scores that a {@link Divergence} makes of the log-ratios. */
        SCORES,
        /** Log-ratios of policy and reference, whatever the divergence. */
        LOG_RATIOS,
        /** Log-probabilities under the policy alone: without a reference. */
        LOG_PROBS
    }

    /** All of them. */
    List<Named> ALL = List.of(
            scored("sigmoid", with -> new DpoSigmoid(with.beta(), with.labelSmoothing())),
            new Named("sft", Sees.LOG_PROBS, with -> new ChosenNll()),
            scored("robust", with -> new Robust(with.beta(), with.labelSmoothing())),
            scored("hinge", with -> new Hinge(with.beta())),
            scored("ipo", with -> new Ipo(with.beta())),
            scored("exo_pair", with -> new Exo(with.beta(), with.labelSmoothing())),
            scored("bco_pair", with -> new Bco(with.beta())),
            scored("sppo_hard", with -> new SppoHard(with.beta())),
            scored("nca_pair", with -> new Nca(with.beta())),
            scored("discopop", with -> new DiscoPop(with.beta(), with.discopopTau())),
            scored("sigmoid_norm", with -> new SigmoidNorm(with.beta())),
            new Named("aot", Sees.LOG_RATIOS, with -> new Aot(with.beta(), with.labelSmoothing(), true)),
            new Named("aot_unpaired", Sees.LOG_RATIOS, with -> new Aot(with.beta(), with.labelSmoothing(), false)),
            new Named("apo_zero", Sees.LOG_RATIOS, with -> new ApoZero(with.beta())),
            new Named("apo_down", Sees.SCORES, with -> new ApoDown(with.beta(), with.divergence())),
            new Named(
                    "simpo",
                    Sees.LOG_PROBS,
                    with -> withLikelihood(
                            new SimPo(with.beta(), with.labelSmoothing(), with.simpoGamma()), with.cpoAlpha(0))),
            new Named(
                    "cpo",
                    Sees.LOG_PROBS,
                    with -> withLikelihood(new Cpo(with.beta(), with.labelSmoothing()), with.cpoAlpha(1))),
            new Named("orpo", Sees.LOG_PROBS, with -> new Orpo(with.beta())));

    List<String> NAMES = ALL.stream().map(Named::name).toList();

    /**
     * Log-probabilities of a pair's completions, summed over their tokens.
     *
     * @param chosenTokens number of tokens of the chosen completion
     * @param rejectedTokens the same of the rejected one
     * @param likelihood of the chosen one, the sum over all its tokens even where LD-DPO counts some for less in {@code chosen}
     * @param onPolicy how likely the policy itself is to write the pair: the mean of {@code log p − log Σ p²} over the tokens of the chosen
     *     completion plus that of the rejected one, p the probabilities of a token's row
     */
    record Pair(
            double chosen,
            double rejected,
            double referenceChosen,
            double referenceRejected,
            int chosenTokens,
            int rejectedTokens,
            double likelihood,
            double onPolicy) {
        /** Every token counts in full. */
        public Pair(
                double chosen,
                double rejected,
                double referenceChosen,
                double referenceRejected,
                int chosenTokens,
                int rejectedTokens) {
            this(chosen, rejected, referenceChosen, referenceRejected, chosenTokens, rejectedTokens, chosen, 0);
        }

        /** How much more the policy prefers the chosen one than the reference does: what DPO's β multiplies. */
        public double margin() {
            return chosenLogRatio() - rejectedLogRatio();
        }

        public double chosenLogRatio() {
            return chosen - referenceChosen;
        }

        public double rejectedLogRatio() {
            return rejected - referenceRejected;
        }

        Pair withoutReference() {
            return new Pair(chosen, rejected, 0, 0, chosenTokens, rejectedTokens);
        }

        /** How much more probable the reference finds the chosen one than the rejected one, as a difference of logs. */
        public double referenceLogRatio() {
            return referenceChosen - referenceRejected;
        }
    }

    /**
     * @param dChosen gradient with respect to the chosen completion's summed log-probability
     * @param dRejected the same for the rejected one
     * @param dLikelihood the same for {@link Pair#likelihood}
     */
    record Value(double loss, double dChosen, double dRejected, double dLikelihood) {
        Value(double loss, double dChosen, double dRejected) {
            this(loss, dChosen, dRejected, 0);
        }

        Value plus(Value other) {
            return new Value(
                    loss + other.loss,
                    dChosen + other.dChosen,
                    dRejected + other.dRejected,
                    dLikelihood + other.dLikelihood);
        }

        Value times(double factor) {
            return new Value(factor * loss, factor * dChosen, factor * dRejected, factor * dLikelihood);
        }
    }

    Value of(Pair pair);

    /** Values of all pairs of an optimizer step, in their order. */
    default List<Value> of(List<Pair> pairs) {
        return pairs.stream().map(this::of).toList();
    }

    /** Whether a pair's value depends on the other pairs of its step. */
    default boolean comparesPairs() {
        return false;
    }

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

    /**
     * {@code q·(log q − log(1−ε)) + (1−q)·(log(1−q) − log ε)} with {@code q = σ(β·margin)}: EXO with two completions (Ji et al. 2024, eq. 16),
     * the KL divergence of the policy's preference from a labeller's who is right but for a share ε. Above 0 ε must be.
     */
    record Exo(double beta, double epsilon) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double logit = beta * pair.margin();
            double q = sigmoid(logit);
            double chosen = -softplus(-logit) - Math.log1p(-epsilon);
            double rejected = -softplus(logit) - Math.log(epsilon);
            double gradient = beta * q * sigmoid(-logit) * (chosen - rejected);
            return new Value(q * chosen + sigmoid(-logit) * rejected, gradient, -gradient);
        }
    }

    /** {@code −log σ(β·a) − log σ(−β·b)}: BCO on a pair, without a shift of the rewards, as in TRL (Jung et al. 2024). */
    record Bco(double beta) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double chosen = beta * pair.chosenLogRatio();
            double rejected = beta * pair.rejectedLogRatio();
            return new Value(
                    softplus(-chosen) + softplus(rejected), -beta * sigmoid(-chosen), beta * sigmoid(rejected));
        }
    }

    /**
     * {@code −(1−m)·log σ(z) + m·e⁻ᶻ} with {@code z = β·margin} and {@code m = σ(z/τ)}: DiscoPOP, the log-ratio modulated loss (Lu et al. 2024,
     * eq. 5).
     */
    record DiscoPop(double beta, double tau) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double logit = beta * pair.margin();
            double blend = sigmoid(logit / tau);
            double rest = sigmoid(-logit / tau);
            // m·e⁻ᶻ in one exponential: of a badly ordered pair the factors alone are 0 and ∞.
            double exponential = Math.exp(-logit - softplus(-logit / tau));
            double gradient = beta
                    * (-rest * sigmoid(-logit) - exponential + (exponential - blend * softplus(-logit)) * rest / tau);
            return new Value(rest * softplus(-logit) + exponential, gradient, -gradient);
        }
    }

    /** {@code −log σ(β·(a/|chosen| − b/|rejected|))}: DPO on log-ratios per token, as TRL has it (from Tülu 3, Lambert et al. 2024). */
    record SigmoidNorm(double beta) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double logit = beta
                    * (pair.chosenLogRatio() / pair.chosenTokens() - pair.rejectedLogRatio() / pair.rejectedTokens());
            double gradient = -beta * sigmoid(-logit);
            return new Value(softplus(-logit), gradient / pair.chosenTokens(), -gradient / pair.rejectedTokens());
        }
    }

    /**
     * {@code −(1−s)·log σ(β·δₖ) − s·log σ(−β·δₖ)} over ranks k: alignment via optimal transport (Melnyk et al. 2024). Paired, δₖ is the k-th
     * smallest {@code log π(chosen) − log π(rejected)} of a step's pairs less the k-th smallest of the same under the reference; unpaired, the
     * k-th smallest a less the k-th smallest b. Its gradient goes to the completions that have these ranks.
     */
    record Aot(double beta, double labelSmoothing, boolean paired) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            return of(List.of(pair)).getFirst();
        }

        @Override
        public List<Value> of(List<Pair> pairs) {
            ToDoubleFunction<Pair> better = paired ? pair -> pair.chosen() - pair.rejected() : Pair::chosenLogRatio;
            ToDoubleFunction<Pair> worse = paired ? Pair::referenceLogRatio : Pair::rejectedLogRatio;
            int[] betterOrder = order(pairs, better);
            int[] worseOrder = order(pairs, worse);
            Value[] values = new Value[pairs.size()];
            Arrays.fill(values, new Value(0, 0, 0));
            DpoSigmoid dpo = new DpoSigmoid(beta, labelSmoothing);
            for (int k = 0; k < values.length; k++) {
                int chosen = betterOrder[k];
                int rejected = paired ? chosen : worseOrder[k];
                double a = better.applyAsDouble(pairs.get(chosen));
                double b = worse.applyAsDouble(pairs.get(worseOrder[k]));
                Value value = dpo.of(new Pair(a, b, 0, 0, 1, 1));
                values[chosen] = values[chosen].plus(new Value(value.loss, value.dChosen, 0));
                values[rejected] = values[rejected].plus(new Value(0, 0, value.dRejected));
            }
            return List.of(values);
        }

        /** Indices of the pairs by ascending value. */
        private static int[] order(List<Pair> pairs, ToDoubleFunction<Pair> of) {
            return IntStream.range(0, pairs.size())
                    .boxed()
                    .sorted(Comparator.comparingDouble(i -> of.applyAsDouble(pairs.get(i))))
                    .mapToInt(Integer::intValue)
                    .toArray();
        }

        @Override
        public boolean comparesPairs() {
            return true;
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

    /**
     * {@code σ(β·a) + 1 − σ(β·(a−b))}: the same where the chosen is worse than the model (eq. 8). As in TRL, a divergence is in the margin and
     * not in the anchor.
     */
    record ApoDown(double beta, Divergence divergence) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double a = pair.chosenLogRatio();
            double b = pair.rejectedLogRatio();
            double chosen = sigmoid(beta * a);
            double margin = sigmoid(beta * (divergence.score(a) - divergence.score(b)));
            double dMargin = beta * margin * (1 - margin);
            return new Value(
                    chosen + 1 - margin,
                    beta * chosen * (1 - chosen) - dMargin * divergence.slope(a),
                    dMargin * divergence.slope(b));
        }
    }

    /**
     * {@code −(1−s)·log σ(z) − s·log σ(−z)} with {@code z = β·(log π(chosen)/|chosen| − log π(rejected)/|rejected|) − γ}: SimPO (Meng et al. 2024,
     * eq. 6), smoothed as in TRL's CPOTrainer.
     */
    record SimPo(double beta, double labelSmoothing, double gamma) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double logit =
                    beta * (pair.chosen() / pair.chosenTokens() - pair.rejected() / pair.rejectedTokens()) - gamma;
            double gradient = beta * (labelSmoothing * sigmoid(logit) - (1 - labelSmoothing) * sigmoid(-logit));
            return new Value(
                    (1 - labelSmoothing) * softplus(-logit) + labelSmoothing * softplus(logit),
                    gradient / pair.chosenTokens(),
                    -gradient / pair.rejectedTokens());
        }
    }

    /** {@link DpoSigmoid} with a uniform reference: contrastive preference optimization (Xu et al. 2024, eq. 3, its preference term). */
    record Cpo(double beta, double labelSmoothing) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            return new DpoSigmoid(beta, labelSmoothing).of(pair.withoutReference());
        }
    }

    /**
     * {@code −c − λ·log σ(log(odds(eᶜ) / odds(eʳ)))}, c and r the mean log-probabilities per token and odds(p) = p/(1−p): ORPO (Hong et al. 2024,
     * eqs. 6 and 7). λ is β in TRL. The likelihood is of the completion, as in the paper; TRL's is of the prompt too.
     */
    record Orpo(double lambda) implements PreferenceLoss {
        /** A probability of 1 has no odds; it counts as the next smaller F32. */
        private static final double LARGEST = -0x1p-24;

        @Override
        public Value of(Pair pair) {
            double chosen = Math.min(pair.chosen() / pair.chosenTokens(), LARGEST);
            double rejected = Math.min(pair.rejected() / pair.rejectedTokens(), LARGEST);
            double logOdds = logOdds(chosen) - logOdds(rejected);
            double gradient = lambda * sigmoid(-logOdds);
            return new Value(
                    -chosen + lambda * softplus(-logOdds),
                    (-1 + gradient / Math.expm1(chosen)) / pair.chosenTokens(),
                    -gradient / Math.expm1(rejected) / pair.rejectedTokens());
        }

        private static double logOdds(double logProb) {
            return logProb - Math.log(-Math.expm1(logProb));
        }
    }

    /** Mean negative log-likelihood of the chosen completion's tokens: {@code sft} in TRL. */
    record ChosenNll() implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            return new Value(-pair.likelihood() / pair.chosenTokens(), 0, 0, -1.0 / pair.chosenTokens());
        }
    }

    /** A loss on the scores that a divergence makes of the log-ratios. */
    record OfScores(PreferenceLoss loss, Divergence divergence) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            double chosen = pair.chosenLogRatio();
            double rejected = pair.rejectedLogRatio();
            Value value = loss.of(new Pair(
                    divergence.score(chosen),
                    divergence.score(rejected),
                    0,
                    0,
                    pair.chosenTokens(),
                    pair.rejectedTokens()));
            return new Value(
                    value.loss, value.dChosen * divergence.slope(chosen), value.dRejected * divergence.slope(rejected));
        }
    }

    /**
     * {@code e^w · loss} with w as in {@link Pair#onPolicy}, which is not differentiated: weighted preference optimization (Zhou et al. 2024,
     * eqs. 2 and 3), where pairs that another model wrote count less. Without a bound of 1 on the factor, as in TRL 1.x.
     */
    record OnPolicy(PreferenceLoss loss) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            return loss.of(pair).times(Math.exp(pair.onPolicy()));
        }
    }

    /** {@code Σ weight · loss}. */
    record Weighted(List<PreferenceLoss> losses, List<Double> weights) implements PreferenceLoss {
        @Override
        public Value of(Pair pair) {
            return of(List.of(pair)).getFirst();
        }

        @Override
        public List<Value> of(List<Pair> pairs) {
            List<List<Value>> each = losses.stream().map(loss -> loss.of(pairs)).toList();
            List<Value> sums = new ArrayList<>();
            for (int pair = 0; pair < pairs.size(); pair++) {
                Value sum = new Value(0, 0, 0);
                for (int i = 0; i < losses.size(); i++) {
                    sum = sum.plus(each.get(i).get(pair).times(weights.get(i)));
                }
                sums.add(sum);
            }
            return sums;
        }

        @Override
        public boolean comparesPairs() {
            return losses.stream().anyMatch(PreferenceLoss::comparesPairs);
        }
    }

    /**
     * Losses by their names in TRL's {@code loss_type}.
     *
     * @param weights one per type; empty for 1 each
     * @throws CalmException wrong usage: an unknown name or another number of weights
     */
    static PreferenceLoss of(List<String> types, List<Double> weights, LossParameters parameters) {
        checkWeights(types, weights);
        List<PreferenceLoss> losses = new ArrayList<>();
        for (String type : types) {
            losses.add(named(type).made.apply(parameters));
        }
        PreferenceLoss all = new Weighted(
                losses, weights.isEmpty() ? losses.stream().map(loss -> 1.0).toList() : weights);
        return parameters.useWeighting() ? new OnPolicy(all) : all;
    }

    /** @throws CalmException wrong usage: an unknown name */
    static Named named(String type) {
        return ALL.stream()
                .filter(each -> each.name.equals(type))
                .findFirst()
                .orElseThrow(() -> CalmException.usage(
                        Setting.of("loss_type"),
                        " \"" + type + "\" is not known; known: " + String.join(", ", NAMES) + ", "
                                + ConsistencyLoss.DCO + ", " + String.join(", ", UnpairedLoss.NAMES)));
    }

    private static Named scored(String name, Function<LossParameters, PreferenceLoss> made) {
        return new Named(name, Sees.SCORES, with -> {
            boolean logRatios = with.divergence().kind() == Divergence.Kind.REVERSE_KL;
            return logRatios ? made.apply(with) : new OfScores(made.apply(with), with.divergence());
        });
    }

    private static PreferenceLoss withLikelihood(PreferenceLoss loss, double weight) {
        return weight == 0 ? loss : new Weighted(List.of(loss, new ChosenNll()), List.of(1.0, weight));
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
    static double softplus(double x) {
        return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }

    static double sigmoid(double x) {
        return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
    }
}
