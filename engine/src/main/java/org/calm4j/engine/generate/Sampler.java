package org.calm4j.engine.generate;

import it.unimi.dsi.fastutil.ints.IntArrays;
import org.calm4j.engine.random.CounterRandom;

/** Chooses a token from a row of logits. */
final class Sampler {
    private final Sampling sampling;
    private final int vocabulary;
    private final double[] weights;
    private final int[] byProbability;

    Sampler(Sampling sampling, int vocabulary) {
        this.sampling = sampling;
        this.vocabulary = vocabulary;
        weights = new double[vocabulary];
        byProbability = new int[vocabulary];
    }

    /** A random stream of its own for one completion: the same whatever else is in the batch. */
    static long stream(long seed, int prompt, int sample) {
        return CounterRandom.seed(CounterRandom.seed(CounterRandom.seed(seed, "sample"), prompt), sample);
    }

    /** Natural log of Σ exp(logits). */
    double logSumExp(double[] logits, int row) {
        double max = logits[argmax(logits, row)];
        double sum = 0;
        for (int i = 0, at = row * vocabulary; i < vocabulary; i++, at++) {
            sum += Math.exp(logits[at] - max);
        }
        return max + Math.log(sum);
    }

    /** @param position of the token in its completion, from 0 */
    int next(double[] logits, int row, long stream, int position) {
        int best = argmax(logits, row);
        if (sampling.temperature() == 0) {
            return best;
        }
        int at = row * vocabulary;
        double max = logits[at + best];
        double total = 0;
        for (int i = 0; i < vocabulary; i++) {
            weights[i] = Math.exp((logits[at + i] - max) / sampling.temperature());
            total += weights[i];
        }
        if (sampling.topK() > 0 && sampling.topK() < vocabulary || sampling.topP() < 1 || sampling.minP() > 0) {
            total = filter(total);
        }
        return draw(total * CounterRandom.uniform(stream, position), best);
    }

    private int draw(double point, int best) {
        int last = best;
        for (int i = 0; i < vocabulary; i++) {
            if (weights[i] > 0) {
                point -= weights[i];
                last = i;
                if (point < 0) {
                    return i;
                }
            }
        }
        // The sum's rounding can leave the point behind the last token.
        return last;
    }

    /** Sets the weights of what is filtered out to 0; returns the sum of the rest. */
    private double filter(double total) {
        for (int i = 0; i < vocabulary; i++) {
            byProbability[i] = i;
        }
        IntArrays.quickSort(byProbability, (a, b) -> {
            int order = Double.compare(weights[b], weights[a]);
            return order != 0 ? order : Integer.compare(a, b);
        });
        int kept = sampling.topK() > 0 ? Math.min(sampling.topK(), vocabulary) : vocabulary;
        double sum = total;
        if (kept < vocabulary) {
            sum = 0;
            for (int i = 0; i < kept; i++) {
                sum += weights[byProbability[i]];
            }
        }
        kept = nucleus(kept, sum);
        double least = sampling.minP() * weights[byProbability[0]];
        double rest = 0;
        for (int i = 0; i < vocabulary; i++) {
            int token = byProbability[i];
            if (i >= kept || i > 0 && weights[token] < least) {
                weights[token] = 0;
            } else {
                rest += weights[token];
            }
        }
        return rest;
    }

    private int nucleus(int kept, double sum) {
        if (sampling.topP() >= 1) {
            return kept;
        }
        double reached = 0;
        for (int i = 0; i < kept; i++) {
            reached += weights[byProbability[i]];
            if (reached >= sampling.topP() * sum) {
                return i + 1;
            }
        }
        return kept;
    }

    /** The most probable token; of equal ones the first. */
    private int argmax(double[] logits, int row) {
        int at = row * vocabulary;
        int best = 0;
        for (int i = 1; i < vocabulary; i++) {
            if (logits[at + i] > logits[at + best]) {
                best = i;
            }
        }
        return best;
    }
}
