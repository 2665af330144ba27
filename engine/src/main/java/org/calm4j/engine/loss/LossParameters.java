package org.calm4j.engine.loss;

/**
 * What preference losses have beside a pair; each takes what its formula names.
 *
 * @param labelSmoothing share of pairs believed to be the wrong way round, ε in EXO
 * @param divergence from the reference model; reverse KL is DPO
 * @param discopopTau τ of DiscoPOP's blend
 * @param simpoGamma SimPO's target margin γ
 * @param cpoAlpha weight of the chosen completion's mean negative log-likelihood beside CPO's and SimPO's loss;
 *     null for 1 beside CPO's and 0 beside SimPO's
 * @param useWeighting whether a pair's loss counts the more the likelier the policy itself is to write the pair
 */
public record LossParameters(
        double beta,
        double labelSmoothing,
        Divergence divergence,
        double discopopTau,
        double simpoGamma,
        Double cpoAlpha,
        boolean useWeighting) {
    public static final double DISCOPOP_TAU = 0.05;
    public static final double SIMPO_GAMMA = 0.5;

    /** TRL's defaults for all others. */
    public static LossParameters of(double beta, double labelSmoothing) {
        return new LossParameters(beta, labelSmoothing, Divergence.REVERSE_KL, DISCOPOP_TAU, SIMPO_GAMMA, null, false);
    }

    double cpoAlpha(double standard) {
        return cpoAlpha != null ? cpoAlpha : standard;
    }
}
