package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.PrimitiveIterator;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.ranks.Ranks;

/** The reference model's log-probabilities of preference pairs, computed once, before training changes the model; no dropout. */
public final class References {
    private References() {}

    /**
     * One entry per line.
     *
     * @param lines pairs, in one language each or in two
     * @param taken marks the lines that training will use; null for all; the other entries of the result are null
     */
    public static List<Trainer.Reference> of(CausalLm model, List<? extends Example> lines, boolean[] taken) {
        return of(model, lines, taken, 1, false, done -> {});
    }

    /**
     * @param ldAlpha as in {@link TrainSettings}
     * @param sharePrompts whether a prompt of several pairs is computed once for as many of them as fit into a batch
     * @param done receives the number of pairs done
     */
    public static List<Trainer.Reference> of(
            CausalLm model,
            List<? extends Example> lines,
            boolean[] taken,
            double ldAlpha,
            boolean sharePrompts,
            IntConsumer done) {
        return of(Ranks.alone(), model, lines, taken, ldAlpha, sharePrompts, null, done);
    }

    /** Log-probabilities of an earlier run; of each pair its chosen and its rejected completion. */
    public interface Kept {
        /** Null where there are none, or another number. */
        double[] load(int count);

        void save(double[] logProbs);
    }

    /**
     * The same, with the work divided among ranks; all of them have the result.
     *
     * @param kept is read and written on the first rank; null for nothing
     */
    public static List<Trainer.Reference> of(
            Ranks ranks,
            CausalLm model,
            List<? extends Example> lines,
            boolean[] taken,
            double ldAlpha,
            boolean sharePrompts,
            Kept kept,
            IntConsumer done) {
        PairItems items = new PairItems(lines, taken, sharePrompts);
        double[] logProbs = kept == null ? null : load(ranks, kept, items.sequences());
        if (logProbs == null) {
            logProbs = sums(ranks, model, items, ldAlpha, done);
            if (kept != null && ranks.isFirst()) {
                kept.save(logProbs);
            }
        }
        PrimitiveIterator.OfDouble sums = Arrays.stream(logProbs).iterator();
        int[] pairs = items.pairsByLine();
        List<Trainer.Reference> references = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            boolean scored = taken == null || taken[i];
            references.add(scored ? next(sums, pairs[i]) : null);
        }
        return references;
    }

    /** What the first rank has, on all of them. */
    private static double[] load(Ranks ranks, Kept kept, int count) {
        double[] known = ranks.isFirst() ? kept.load(count) : null;
        double[] found = {known == null ? 0 : 1};
        ranks.sum(found);
        if (found[0] == 0) {
            return null;
        }
        double[] logProbs = known == null ? new double[count] : known;
        ranks.sum(logProbs);
        return logProbs;
    }

    /** Of each pair its chosen and its rejected completion, on all ranks. */
    private static double[] sums(Ranks ranks, CausalLm model, PairItems items, double ldAlpha, IntConsumer done) {
        double[] sums = new double[items.sequences()];
        if (ranks.size() == 1) {
            try (Scorer.Batches batches = new Scorer.Batches(model, items)) {
                int sequences = 0;
                for (int b = 0, first = 0; b < batches.count(); first = batches.end(b++)) {
                    sequences += add(sums, items, first, batches.score(b), ldAlpha);
                    done.accept(sequences / 2);
                }
            }
            return sums;
        }
        List<List<double[]>> scores = SharedScorer.score(ranks, model, items, done);
        if (scores != null) {
            add(sums, items, 0, scores, ldAlpha);
        }
        // The others have zeros, so that the sum over ranks is exact.
        ranks.sum(sums);
        return sums;
    }

    /**
     * Sets the sums of some items' completions; returns how many.
     *
     * @param first item of the scores
     */
    private static int add(double[] sums, PairItems items, int first, List<List<double[]>> scores, double ldAlpha) {
        int sequences = 0;
        for (int item = 0; item < scores.size(); item++) {
            for (int completion = 0; completion < scores.get(item).size(); completion++, sequences++) {
                int sequence = items.sequence(first + item, completion);
                sums[sequence] = sum(scores.get(item).get(completion), items.shared(sequence), ldAlpha);
            }
        }
        return sequences;
    }

    private static Trainer.Reference next(PrimitiveIterator.OfDouble sums, int pairs) {
        return pairs == 0 ? null : new Trainer.Reference(sums.nextDouble(), sums.nextDouble(), next(sums, pairs - 1));
    }

    private static double sum(double[] logProbs, int shared, double ldAlpha) {
        return IntStream.range(0, logProbs.length)
                .mapToDouble(i -> i < shared ? logProbs[i] : ldAlpha * logProbs[i])
                .sum();
    }
}
