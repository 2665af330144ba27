package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Scorer;

/** The reference model's log-probabilities of preference pairs, computed once, before training changes the model; no dropout. */
public final class References {
    private References() {
    }

    /**
     * One entry per pair.
     *
     * @param taken marks of the pairs that training will take; null for all; the others' entries are null
     */
    public static List<Trainer.Reference> of(CausalLm model, List<Example.Preference> pairs, boolean[] taken) {
        return of(model, pairs, taken, done -> { });
    }

    /** @param done is told how many pairs are done */
    public static List<Trainer.Reference> of(CausalLm model, List<Example.Preference> pairs, boolean[] taken, IntConsumer done) {
        List<Scorer.Item> items = new ArrayList<>();
        for (int i = 0; i < pairs.size(); i++) {
            if (taken == null || taken[i]) {
                items.add(new Scorer.Item(pairs.get(i).prompt(), List.of(pairs.get(i).chosen(), pairs.get(i).rejected())));
            }
        }
        List<List<double[]>> scores = new Scorer(model).score(items, done);
        List<Trainer.Reference> references = new ArrayList<>();
        int next = 0;
        for (int i = 0; i < pairs.size(); i++) {
            boolean scored = taken == null || taken[i];
            references.add(scored ? new Trainer.Reference(sum(scores.get(next).get(0)), sum(scores.get(next).get(1))) : null);
            next += scored ? 1 : 0;
        }
        return references;
    }

    private static double sum(double[] logProbs) {
        return Arrays.stream(logProbs).sum();
    }
}
