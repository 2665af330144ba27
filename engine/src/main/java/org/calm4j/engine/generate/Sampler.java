package org.calm4j.engine.generate;

import it.unimi.dsi.fastutil.ints.IntComparator;
import it.unimi.dsi.fastutil.ints.IntHeaps;
import it.unimi.dsi.fastutil.ints.IntIterator;
import it.unimi.dsi.fastutil.ints.IntSet;
import java.util.Arrays;
import org.calm4j.engine.random.CounterRandom;

/** Chooses a token from a row of logits, without sorting the vocabulary: a heap gives the most probable tokens, as many as are wanted. */
final class Sampler {
    private final Sampling sampling;
    private final int vocabulary;
    private final double[] scores;
    private final double[] weights;
    private final int[] heap;
    private int heapSize;
    private final int[] kept;
    private final double[] keptWeights;
    private final IntComparator mostProbableFirst;

    Sampler(Sampling sampling, int vocabulary) {
        this.sampling = sampling;
        this.vocabulary = vocabulary;
        scores = new double[vocabulary];
        weights = new double[vocabulary];
        heap = new int[vocabulary];
        kept = new int[vocabulary];
        keptWeights = new double[vocabulary];
        mostProbableFirst = (a, b) -> {
            int order = Double.compare(weights[b], weights[a]);
            return order != 0 ? order : Integer.compare(a, b);
        };
    }

    /** A random stream of its own for one completion: the same whatever else is in the batch. */
    static long stream(long seed, int prompt, int sample) {
        return CounterRandom.seed(CounterRandom.seed(CounterRandom.seed(seed, "sample"), prompt), sample);
    }

    /** Natural log of a token's probability under the model, before penalty, temperature and filters. */
    double logProb(double[] logits, int row, int token) {
        int at = row * vocabulary;
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vocabulary; i++) {
            max = Math.max(max, logits[at + i]);
        }
        double sum = 0;
        for (int i = 0; i < vocabulary; i++) {
            sum += Math.exp(logits[at + i] - max);
        }
        return logits[at + token] - (max + Math.log(sum));
    }

    /**
     * @param seen tokens of the prompt and of the completion so far; looked at where there is a penalty
     * @param position of the token in its completion, from 0
     */
    int next(double[] logits, int row, IntSet seen, long stream, int position) {
        System.arraycopy(logits, row * vocabulary, scores, 0, vocabulary);
        if (sampling.repetitionPenalty() != 1) {
            penalise(seen);
        }
        int best = argmax();
        if (sampling.temperature() == 0) {
            return best;
        }
        double total = 0;
        for (int i = 0; i < vocabulary; i++) {
            weights[i] = Math.exp((scores[i] - scores[best]) / sampling.temperature());
            total += weights[i];
        }
        if (sampling.topK() > 0 && sampling.topK() < vocabulary || sampling.topP() < 1 || sampling.minP() > 0) {
            total = filter(total);
        }
        return draw(total * CounterRandom.uniform(stream, position), best);
    }

    private void penalise(IntSet seen) {
        for (IntIterator tokens = seen.iterator(); tokens.hasNext();) {
            int token = tokens.nextInt();
            double score = scores[token];
            scores[token] = score > 0 ? score / sampling.repetitionPenalty() : score * sampling.repetitionPenalty();
        }
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
        int count = take(total);
        for (int i = 0; i < count; i++) {
            keptWeights[i] = weights[kept[i]];
        }
        Arrays.fill(weights, 0);
        double rest = 0;
        for (int i = 0; i < count; i++) {
            weights[kept[i]] = keptWeights[i];
            rest += keptWeights[i];
        }
        return rest;
    }

    /** Collects what top-k, top-p and min-p keep, the most probable first; returns how many. */
    private int take(double total) {
        for (int i = 0; i < vocabulary; i++) {
            heap[i] = i;
        }
        heapSize = vocabulary;
        IntHeaps.makeHeap(heap, heapSize, mostProbableFirst);
        boolean topK = sampling.topK() > 0 && sampling.topK() < vocabulary;
        int most = topK ? sampling.topK() : vocabulary;
        double all = total;
        if (topK) {
            // Top-p looks at what top-k leaves.
            all = 0;
            for (int i = 0; i < most; i++) {
                kept[i] = pop();
                all += weights[kept[i]];
            }
        }
        double reached = 0;
        int count = 0;
        while (count < most && (count == 0 || sampling.topP() >= 1 || reached < sampling.topP() * all)) {
            int token = topK ? kept[count] : pop();
            // The most probable token has weight 1.
            if (count > 0 && (weights[token] < sampling.minP() || weights[token] == 0)) {
                break;
            }
            kept[count++] = token;
            reached += weights[token];
        }
        return count;
    }

    private int pop() {
        int token = heap[0];
        heap[0] = heap[--heapSize];
        if (heapSize > 0) {
            IntHeaps.downHeap(heap, heapSize, 0, mostProbableFirst);
        }
        return token;
    }

    /** The token of the highest score; of equal ones the first. */
    private int argmax() {
        int best = 0;
        for (int i = 1; i < vocabulary; i++) {
            if (scores[i] > scores[best]) {
                best = i;
            }
        }
        return best;
    }
}
