package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Scorer;

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
        return of(model, lines, taken, 1, done -> {});
    }

    /**
     * @param ldAlpha as in {@link TrainSettings}
     * @param done receives the number of pairs done
     */
    public static List<Trainer.Reference> of(
            CausalLm model, List<? extends Example> lines, boolean[] taken, double ldAlpha, IntConsumer done) {
        List<Scorer.Item> items = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            if (taken == null || taken[i]) {
                lines.get(i).preferences().forEach(pair -> items.addAll(pair.items()));
            }
        }
        // Chosen and rejected of each pair in turn.
        Iterator<double[]> scores = new Scorer(model)
                .score(items, done).stream().flatMap(List::stream).iterator();
        List<Trainer.Reference> references = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            boolean scored = taken == null || taken[i];
            references.add(scored ? next(scores, lines.get(i).preferences().size(), ldAlpha) : null);
        }
        return references;
    }

    private static Trainer.Reference next(Iterator<double[]> scores, int pairs, double ldAlpha) {
        if (pairs == 0) {
            return null;
        }
        double[] chosen = scores.next();
        double[] rejected = scores.next();
        int shared = Math.min(chosen.length, rejected.length);
        return new Trainer.Reference(
                sum(chosen, shared, ldAlpha), sum(rejected, shared, ldAlpha), next(scores, pairs - 1, ldAlpha));
    }

    private static double sum(double[] logProbs, int shared, double ldAlpha) {
        return IntStream.range(0, logProbs.length)
                .mapToDouble(i -> i < shared ? logProbs[i] : ldAlpha * logProbs[i])
                .sum();
    }
}
