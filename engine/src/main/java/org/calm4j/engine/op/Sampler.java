package org.calm4j.engine.op;

import it.unimi.dsi.fastutil.ints.IntComparator;
import it.unimi.dsi.fastutil.ints.IntHeaps;
import it.unimi.dsi.fastutil.ints.IntIterator;
import it.unimi.dsi.fastutil.ints.IntSet;
import java.util.Arrays;
import java.util.function.ToDoubleFunction;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/**
 * The definition of {@link Backend#sample}, in double precision on the host, without sorting the vocabulary: a heap yields the most probable
 * tokens, as many as needed.
 */
public final class Sampler {
    private final ToDoubleFunction<Tensor> logSumExp;
    private double[] logits = {};
    private double[] scores;
    private double[] weights;
    private int[] heap;
    private int heapSize;
    private int[] kept;
    private double[] keptWeights;
    private int vocabulary;
    private TokenFilter filter;
    private final IntComparator mostProbableFirst = (a, b) -> {
        int order = Double.compare(weights[b], weights[a]);
        return order != 0 ? order : Integer.compare(a, b);
    };

    public Sampler() {
        logSumExp = row -> logSumExp();
    }

    /** @param logSumExp of a row of logits (1,V), where the backend has a faster one */
    public Sampler(ToDoubleFunction<Tensor> logSumExp) {
        this.logSumExp = logSumExp;
    }

    /** Fills in what is drawn; the backend is the one that has the logits. */
    public void sample(Backend backend, Draws draws, Tensor rows, TokenFilter filter) {
        double[] row = fit(Math.toIntExact(rows.dim(1)));
        this.filter = filter;
        int read = -1;
        double lse = 0;
        for (int i = 0; i < draws.count(); i++) {
            if (draws.row(i) != read) {
                read = draws.row(i);
                backend.read(row, rows.rows(read, 1), vocabulary);
                lse = logSumExp.applyAsDouble(rows.rows(read, 1));
            }
            int token = next(draws.seen(i), draws.stream(i), draws.position(i));
            draws.drawn(i, token, logits[token] - lse);
        }
    }

    private double[] fit(int size) {
        if (logits.length != size) {
            vocabulary = size;
            logits = new double[size];
            scores = new double[size];
            weights = new double[size];
            heap = new int[size];
            kept = new int[size];
            keptWeights = new double[size];
        }
        return logits;
    }

    private double logSumExp() {
        double max = Double.NEGATIVE_INFINITY;
        for (double logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (double logit : logits) {
            sum += Math.exp(logit - max);
        }
        return max + Math.log(sum);
    }

    private int next(IntSet seen, long stream, int position) {
        System.arraycopy(logits, 0, scores, 0, vocabulary);
        if (filter.repetitionPenalty() != 1) {
            penalise(seen);
        }
        int best = argmax();
        if (filter.temperature() == 0) {
            return best;
        }
        double total = 0;
        for (int i = 0; i < vocabulary; i++) {
            weights[i] = Math.exp((scores[i] - scores[best]) / filter.temperature());
            total += weights[i];
        }
        if (filter.topK() > 0 && filter.topK() < vocabulary || filter.topP() < 1 || filter.minP() > 0) {
            total = filter(total);
        }
        return draw(total * CounterRandom.uniform(stream, position), best);
    }

    private void penalise(IntSet seen) {
        for (IntIterator tokens = seen.iterator(); tokens.hasNext(); ) {
            int token = tokens.nextInt();
            double score = scores[token];
            scores[token] = score > 0 ? score / filter.repetitionPenalty() : score * filter.repetitionPenalty();
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
        // Rounding of the sum can leave the point after the last token.
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
        boolean topK = filter.topK() > 0 && filter.topK() < vocabulary;
        int most = topK ? filter.topK() : vocabulary;
        double all = total;
        if (topK) {
            // Top-p applies to what top-k leaves.
            all = 0;
            for (int i = 0; i < most; i++) {
                kept[i] = pop();
                all += weights[kept[i]];
            }
        }
        double reached = 0;
        int count = 0;
        while (count < most && (count == 0 || filter.topP() >= 1 || reached < filter.topP() * all)) {
            int token = topK ? kept[count] : pop();
            // The most probable token has weight 1.
            if (count > 0 && (weights[token] < filter.minP() || weights[token] == 0)) {
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
