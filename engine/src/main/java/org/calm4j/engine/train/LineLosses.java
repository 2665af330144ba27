package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.loss.UnpairedLoss;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.op.TokenStatistic;

/** The losses of a packed batch after its forward pass, and by them the coefficients of log-probabilities from which the backward pass starts. */
final class LineLosses {
    private final TrainSettings settings;
    private final PackedBatch batch;
    private final double[] logProbs;
    /** {@link TokenStatistic}s of each. */
    private final double[] statistics;

    private final double[] coefficients;

    /** @param scored tokens that a batch has at most */
    LineLosses(TrainSettings settings, PackedBatch batch, int scored) {
        this.settings = settings;
        this.batch = batch;
        logProbs = new double[scored];
        statistics = new double[TokenStatistic.COUNT * scored];
        coefficients = new double[scored];
    }

    /** Takes the log-probabilities of the batch. */
    void readLogProbs(Activations activations) {
        activations.readLogProbs(logProbs);
    }

    /** Takes them and what metrics say of the tokens. */
    void read(Activations activations) {
        activations.readLogProbs(logProbs);
        activations.readStatistics(statistics);
    }

    /** What the loss is multiplied by for each scored token: the loss's derivative by its log-probability. */
    double[] coefficients() {
        return coefficients;
    }

    /** The log-probabilities as those of a reference; null without pairs. */
    Trainer.Reference reference(List<Example.Preference> pairs, int sequence) {
        if (pairs.isEmpty()) {
            return null;
        }
        int shared = pairs.getFirst().shared();
        return new Trainer.Reference(
                sum(sequence, shared, settings.ldAlpha()),
                sum(sequence + 1, shared, settings.ldAlpha()),
                reference(pairs.subList(1, pairs.size()), sequence + 2));
    }

    /** Of slots that have one pair each. */
    List<PreferenceLoss.Value> values(List<Slot> slots, List<PreferenceLoss.Pair> pairs) {
        if (settings.unpairedLoss() == null) {
            return settings.preferenceLoss().of(pairs);
        }
        List<UnpairedLoss.Completion> completions = new ArrayList<>();
        for (Slot slot : slots) {
            if (slot.example() instanceof Example.Unpaired line) {
                PreferenceLoss.Pair pair = pairs.get(completions.size());
                completions.add(
                        new UnpairedLoss.Completion(pair.chosenLogRatio(), pair.rejectedLogRatio(), line.desirable()));
            }
        }
        return settings.unpairedLoss().of(completions);
    }

    /** Of a line in one language; null of others. */
    static Example.Preference pairOf(Example example) {
        return switch (example) {
            case Example.Preference pair -> pair;
            case Example.Unpaired line -> line.pair();
            case Example.TwoLanguages _, Example.Document _ -> null;
        };
    }

    /** Those of the batch that are in one language. */
    List<PreferenceLoss.Pair> pairs(List<Slot> slots, Function<Slot, Trainer.Reference> references) {
        List<PreferenceLoss.Pair> found = new ArrayList<>();
        int sequence = 0;
        for (Slot slot : slots) {
            Example.Preference example = pairOf(slot.example());
            if (example != null) {
                found.add(pair(example, references.apply(slot), sequence));
            }
            sequence += slot.example().sequences();
        }
        return found;
    }

    /** @param compared values of all pairs, by row; null to compute those of the batch */
    void add(
            List<Slot> slots,
            Function<Slot, Trainer.Reference> references,
            List<PreferenceLoss.Value> compared,
            StepTable table) {
        List<PreferenceLoss.Pair> inBatch = pairs(slots, references);
        Iterator<PreferenceLoss.Pair> pair = inBatch.iterator();
        Iterator<PreferenceLoss.Value> value = compared != null || inBatch.isEmpty()
                ? null
                : values(slots, inBatch).iterator();
        int sequence = 0;
        for (Slot slot : slots) {
            switch (slot.example()) {
                case Example.Document document -> documentLoss(slot, sequence, table);
                case Example.Preference preference ->
                    apply(
                            slot,
                            slot.row(),
                            pair.next(),
                            compared == null ? value.next() : compared.get(slot.row()),
                            sequence,
                            table);
                case Example.Unpaired line ->
                    apply(
                            slot,
                            line,
                            pair.next(),
                            compared == null ? value.next() : compared.get(slot.row()),
                            sequence,
                            table);
                case Example.TwoLanguages both -> consistencyLoss(slot, both, references.apply(slot), sequence, table);
            }
            sequence += slot.example().sequences();
        }
    }

    private void documentLoss(Slot slot, int sequence, StepTable table) {
        int count = batch.scoredStart(sequence + 1) - batch.scoredStart(sequence);
        fill(sequence, -slot.factor() / count);
        table.loss(slot.row(), slot.factor(), -sum(sequence) / count);
        if (slot.line() >= 0) {
            table.document(slot.row(), statistics, batch.scoredStart(sequence), batch.scoredStart(sequence + 1));
        }
    }

    private void consistencyLoss(
            Slot slot, Example.TwoLanguages example, Trainer.Reference start, int sequence, StepTable table) {
        PreferenceLoss.Pair first = pair(example.first(), start, sequence);
        PreferenceLoss.Pair second = pair(example.second(), start.second(), sequence + 2);
        ConsistencyLoss.Value value = settings.consistencyLoss().of(first, second);
        apply(slot, slot.row(), first, value.first(), sequence, table);
        apply(slot, slot.row() + 1, second, value.second(), sequence + 2, table);
        table.consistency(slot.row(), first.chosen() > first.rejected() == second.chosen() > second.rejected());
    }

    private PreferenceLoss.Pair pair(Example.Preference example, Trainer.Reference start, int sequence) {
        int shared = example.shared();
        return pair(
                example,
                start,
                sum(sequence, shared, settings.ldAlpha()),
                sum(sequence + 1, shared, settings.ldAlpha()),
                sum(sequence),
                onPolicy(sequence) + onPolicy(sequence + 1));
    }

    static PreferenceLoss.Pair pair(
            Example.Preference example,
            Trainer.Reference start,
            double chosen,
            double rejected,
            double likelihood,
            double onPolicy) {
        return new PreferenceLoss.Pair(
                chosen,
                rejected,
                start.chosen(),
                start.rejected(),
                example.chosen().length,
                example.rejected().length,
                likelihood,
                onPolicy);
    }

    private void apply(
            Slot slot, int row, PreferenceLoss.Pair pair, PreferenceLoss.Value value, int sequence, StepTable table) {
        int shared = Math.min(pair.chosenTokens(), pair.rejectedTokens());
        double tail = settings.ldAlpha();
        fill(
                sequence,
                shared,
                slot.factor() * (value.dChosen() + value.dLikelihood()),
                slot.factor() * (tail * value.dChosen() + value.dLikelihood()));
        fill(sequence + 1, shared, slot.factor() * value.dRejected(), slot.factor() * tail * value.dRejected());
        table.loss(row, slot.factor(), value.loss());
        table.pair(
                row,
                settings.beta() * (pair.chosen() - pair.referenceChosen()),
                settings.beta() * (pair.rejected() - pair.referenceRejected()),
                pair.margin() > 0,
                pair.chosen(),
                pair.rejected());
        table.chosen(row, statistics, batch.scoredStart(sequence), batch.scoredStart(sequence + 1));
        table.rejected(row, statistics, batch.scoredStart(sequence + 1), batch.scoredStart(sequence + 2));
    }

    private void apply(
            Slot slot,
            Example.Unpaired line,
            PreferenceLoss.Pair pair,
            PreferenceLoss.Value value,
            int sequence,
            StepTable table) {
        fill(sequence, slot.factor() * value.dChosen());
        fill(sequence + 1, 0);
        table.loss(slot.row(), slot.factor(), value.loss());
        table.unpaired(
                slot.row(),
                settings.beta() * pair.chosenLogRatio(),
                pair.chosen(),
                settings.unpairedLoss().readsMismatched() ? pair.rejectedLogRatio() : Double.NaN,
                line.desirable());
        int start = batch.scoredStart(sequence);
        int end = batch.scoredStart(sequence + 1);
        if (line.desirable()) {
            table.chosen(slot.row(), statistics, start, end);
        } else {
            table.rejected(slot.row(), statistics, start, end);
        }
    }

    private double sum(int sequence) {
        double sum = 0;
        for (int i = batch.scoredStart(sequence); i < batch.scoredStart(sequence + 1); i++) {
            sum += logProbs[i];
        }
        return sum;
    }

    /** The mean of {@code log p − log Σ p²} over a sequence's tokens. */
    private double onPolicy(int sequence) {
        int start = batch.scoredStart(sequence);
        int end = batch.scoredStart(sequence + 1);
        return (sum(sequence) - TokenStatistic.LOG_SUM_SQUARES.sum(statistics, start, end)) / (end - start);
    }

    /** The sum in which tokens after the first {@code shared} count for a share {@code tail}. */
    private double sum(int sequence, int shared, double tail) {
        double sum = 0;
        int start = batch.scoredStart(sequence);
        for (int i = start; i < batch.scoredStart(sequence + 1); i++) {
            sum += i - start < shared ? logProbs[i] : tail * logProbs[i];
        }
        return sum;
    }

    private void fill(int sequence, int shared, double coefficient, double tail) {
        int start = batch.scoredStart(sequence);
        int end = batch.scoredStart(sequence + 1);
        int split = Math.min(start + shared, end);
        Arrays.fill(coefficients, start, split, coefficient);
        Arrays.fill(coefficients, split, end, tail);
    }

    private void fill(int sequence, double coefficient) {
        Arrays.fill(coefficients, batch.scoredStart(sequence), batch.scoredStart(sequence + 1), coefficient);
    }
}
