package org.calm4j.calm.metric;

import java.util.Arrays;

/**
 * The truth behind the answers of unreliable annotators, and how reliable each is, without any label: maximum likelihood by expectation
 * maximization (Dawid and Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied Statistics 28, 1979).
 * Equation numbers are the paper's; its patients are items here, its observers annotators.
 *
 * @param posterior probability of each class, by item (I,K); zeros for an item without answers
 * @param prior share of each class (K)
 * @param errorRates probability that an annotator says l where the class is k (A,K,K)
 * @param logLikelihood of the answers, natural log
 */
public record DawidSkene(
        double[][] posterior, double[] prior, double[][][] errorRates, double logLikelihood, int iterations) {
    private static final int MOST_ITERATIONS = 1000;
    private static final double TOLERANCE = 1e-10;

    /**
     * Starts from the shares of the answers (eq. 3.1), alternates M-step and E-step, and ends when the log-likelihood changes by less than
     * 1e-10 of itself.
     *
     * @param counts how often an annotator gave a class to an item (I,A,K)
     */
    public static DawidSkene estimate(int[][][] counts) {
        int annotators = counts.length == 0 ? 0 : counts[0].length;
        int classes = annotators == 0 ? 0 : counts[0][0].length;
        double[][] posterior = shares(counts, classes);
        double last = Double.NEGATIVE_INFINITY;
        for (int iteration = 1; ; iteration++) {
            double[] prior = prior(posterior, classes);
            double[][][] errorRates = errorRates(counts, posterior, annotators, classes);
            double logLikelihood = expect(counts, prior, errorRates, posterior);
            if (iteration == MOST_ITERATIONS || logLikelihood - last <= TOLERANCE * Math.abs(logLikelihood)) {
                return new DawidSkene(posterior, prior, errorRates, logLikelihood, iteration);
            }
            last = logLikelihood;
        }
    }

    /** The probability that an annotator's answer is right: its error rates' diagonal, weighted by how frequent the classes are. */
    public double reliability(int annotator) {
        double right = 0;
        for (int k = 0; k < prior.length; k++) {
            right += prior[k] * errorRates[annotator][k][k];
        }
        return right;
    }

    /** The start: {@code posterior[i][k] = Σₐ counts[i][a][k] / Σₐₗ counts[i][a][l]} (eq. 3.1). */
    private static double[][] shares(int[][][] counts, int classes) {
        double[][] posterior = new double[counts.length][classes];
        for (int i = 0; i < counts.length; i++) {
            for (int[] said : counts[i]) {
                for (int l = 0; l < classes; l++) {
                    posterior[i][l] += said[l];
                }
            }
            normalize(posterior[i]);
        }
        return posterior;
    }

    /** M-step for the share of each class: {@code prior[k] = Σᵢ posterior[i][k] / I} (eq. 2.4), over the items with answers. */
    private static double[] prior(double[][] posterior, int classes) {
        double[] prior = new double[classes];
        for (double[] item : posterior) {
            for (int k = 0; k < classes; k++) {
                prior[k] += item[k];
            }
        }
        normalize(prior);
        return prior;
    }

    /** M-step for the error rates: {@code rates[a][k][l] = Σᵢ posterior[i][k] · counts[i][a][l]}, normalized over l (eq. 2.3). */
    private static double[][][] errorRates(int[][][] counts, double[][] posterior, int annotators, int classes) {
        double[][][] rates = new double[annotators][classes][classes];
        for (int a = 0; a < annotators; a++) {
            for (int k = 0; k < classes; k++) {
                for (int i = 0; i < counts.length; i++) {
                    for (int l = 0; l < classes; l++) {
                        rates[a][k][l] += posterior[i][k] * counts[i][a][l];
                    }
                }
                normalize(rates[a][k]);
            }
        }
        return rates;
    }

    /**
     * E-step: {@code posterior[i][k] ∝ prior[k] · Πₐₗ errorRates[a][k][l]^counts[i][a][l]} (eq. 2.5) for every item that has answers. The
     * sums that normalize it are the factors of the likelihood (eq. 2.7); returns its logarithm.
     */
    private static double expect(int[][][] counts, double[] prior, double[][][] errorRates, double[][] posterior) {
        double logLikelihood = 0;
        double[] logs = new double[prior.length];
        for (int i = 0; i < counts.length; i++) {
            boolean answered = false;
            for (int k = 0; k < prior.length; k++) {
                logs[k] = Math.log(prior[k]);
                for (int a = 0; a < errorRates.length; a++) {
                    for (int l = 0; l < prior.length; l++) {
                        // Zero times the logarithm of zero is nothing here.
                        logs[k] += counts[i][a][l] == 0 ? 0 : counts[i][a][l] * Math.log(errorRates[a][k][l]);
                        answered |= counts[i][a][l] > 0;
                    }
                }
            }
            if (answered) {
                double most = Arrays.stream(logs).max().orElse(0);
                for (int k = 0; k < prior.length; k++) {
                    posterior[i][k] = Math.exp(logs[k] - most);
                }
                logLikelihood += most + Math.log(Arrays.stream(posterior[i]).sum());
                normalize(posterior[i]);
            }
        }
        return logLikelihood;
    }

    private static void normalize(double[] weights) {
        double sum = Arrays.stream(weights).sum();
        if (sum > 0) {
            Arrays.setAll(weights, k -> weights[k] / sum);
        }
    }
}
