package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.loss.UnpairedLoss;
import org.calm4j.engine.op.TokenStatistic;
import org.calm4j.engine.ranks.Ranks;

/**
 * What the pairs and documents of a step gave, a row each. Every rank fills the rows of its own lines; the sum over ranks then only adds zeros.
 * Totals go row by row, so that they are the same for any number of ranks.
 */
final class StepTable {
    /** Columns of a row. */
    private enum Of {
        WEIGHTED_LOSS,
        LOSS,
        REWARD_CHOSEN,
        REWARD_REJECTED,
        ACCURACY,
        LOGP_CHOSEN,
        LOGP_REJECTED,
        CONSISTENCY,
        MISMATCHED,
        TOKENS,
        ENTROPY,
        TRIED_TOKENS,
        RIGHT_TOKENS,
        CHOSEN_TOKENS,
        CHOSEN_LOGITS,
        REJECTED_TOKENS,
        REJECTED_LOGITS
    }

    private static final int COLUMNS = Of.values().length;

    private final List<Slot> slots;
    private final double[] values;

    /** @param slots all of the step's, in order */
    StepTable(List<Slot> slots) {
        this.slots = slots;
        values = new double[slots.stream().mapToInt(Slot::rows).sum() * COLUMNS];
    }

    private void set(int row, Of column, double value) {
        values[row * COLUMNS + column.ordinal()] = value;
    }

    private void add(int row, Of column, double value) {
        set(row, column, get(row, column) + value);
    }

    private double get(int row, Of column) {
        return values[row * COLUMNS + column.ordinal()];
    }

    void loss(int row, double factor, double loss) {
        set(row, Of.WEIGHTED_LOSS, factor * loss);
        set(row, Of.LOSS, loss);
    }

    /** @param isRight whether the policy prefers the chosen completion more than the reference does */
    void pair(
            int row,
            double rewardChosen,
            double rewardRejected,
            boolean isRight,
            double logpChosen,
            double logpRejected) {
        set(row, Of.REWARD_CHOSEN, rewardChosen);
        set(row, Of.REWARD_REJECTED, rewardRejected);
        set(row, Of.ACCURACY, isRight ? 1 : 0);
        set(row, Of.LOGP_CHOSEN, logpChosen);
        set(row, Of.LOGP_REJECTED, logpRejected);
    }

    /**
     * @param reward of the completion
     * @param mismatched the log-ratio of the completion that does not belong to the prompt; NaN where no loss reads it
     */
    void unpaired(int row, double reward, double logp, double mismatched, boolean desirable) {
        set(row, desirable ? Of.REWARD_CHOSEN : Of.REWARD_REJECTED, reward);
        set(row, desirable ? Of.LOGP_CHOSEN : Of.LOGP_REJECTED, logp);
        set(row, Of.MISMATCHED, mismatched);
    }

    void consistency(int row, boolean agrees) {
        set(row, Of.CONSISTENCY, agrees ? 1 : 0);
    }

    /**
     * Adds the tokens of a document.
     *
     * @param statistics of the batch, of which {@code from} to below {@code to} are the document's
     */
    void document(int row, double[] statistics, int from, int to) {
        entropy(row, statistics, from, to);
        for (int i = from; i < to; i++) {
            add(row, Of.TRIED_TOKENS, 1);
            add(row, Of.RIGHT_TOKENS, TokenStatistic.BEHIND.of(statistics, i) == 0 ? 1 : 0);
        }
    }

    void chosen(int row, double[] statistics, int from, int to) {
        document(row, statistics, from, to);
        add(row, Of.CHOSEN_TOKENS, to - from);
        add(row, Of.CHOSEN_LOGITS, TokenStatistic.MEAN_LOGIT.sum(statistics, from, to));
    }

    void rejected(int row, double[] statistics, int from, int to) {
        entropy(row, statistics, from, to);
        add(row, Of.REJECTED_TOKENS, to - from);
        add(row, Of.REJECTED_LOGITS, TokenStatistic.MEAN_LOGIT.sum(statistics, from, to));
    }

    private void entropy(int row, double[] statistics, int from, int to) {
        add(row, Of.TOKENS, to - from);
        add(row, Of.ENTROPY, TokenStatistic.ENTROPY.sum(statistics, from, to));
    }

    /** Adds the rows of the other ranks. */
    void complete(Ranks ranks) {
        ranks.sum(values);
    }

    private double total(Of column) {
        double sum = 0;
        for (int row = 0; row * COLUMNS < values.length; row++) {
            sum += get(row, column);
        }
        return sum;
    }

    double loss() {
        return total(Of.WEIGHTED_LOSS);
    }

    /** The mean loss of replayed documents, of which there are so many. */
    double replayLoss(int documents) {
        double sum = 0;
        for (Slot slot : slots) {
            sum += slot.line() < 0 ? get(slot.row(), Of.LOSS) / documents : 0;
        }
        return sum;
    }

    /** Means over pairs, or over single completions; null without any. */
    StepLog.Preference preference() {
        List<Example.Unpaired> unpaired = slots.stream()
                .filter(slot -> slot.example() instanceof Example.Unpaired)
                .map(slot -> (Example.Unpaired) slot.example())
                .toList();
        if (!unpaired.isEmpty()) {
            return preference(
                    unpaired.stream().filter(Example.Unpaired::desirable).count(), unpaired.size());
        }
        int pairs = slots.stream()
                .mapToInt(slot -> slot.example().preferences().size())
                .sum();
        long twoLanguages = slots.stream()
                .filter(slot -> slot.example() instanceof Example.TwoLanguages)
                .count();
        return pairs == 0
                ? null
                : new StepLog.Preference(
                        total(Of.REWARD_CHOSEN) / pairs,
                        total(Of.REWARD_REJECTED) / pairs,
                        (total(Of.REWARD_CHOSEN) - total(Of.REWARD_REJECTED)) / pairs,
                        total(Of.ACCURACY) / pairs,
                        total(Of.LOGP_CHOSEN) / pairs,
                        total(Of.LOGP_REJECTED) / pairs,
                        twoLanguages == 0 ? null : total(Of.CONSISTENCY) / twoLanguages,
                        null);
    }

    /** Over single completions; a mean of nothing is NaN, which no line of metrics.jsonl has. */
    private StepLog.Preference preference(long desirable, int all) {
        double chosen = total(Of.REWARD_CHOSEN) / desirable;
        double rejected = total(Of.REWARD_REJECTED) / (all - desirable);
        return new StepLog.Preference(
                chosen,
                rejected,
                chosen - rejected,
                Double.NaN,
                total(Of.LOGP_CHOSEN) / desirable,
                total(Of.LOGP_REJECTED) / (all - desirable),
                null,
                UnpairedLoss.divergence(total(Of.MISMATCHED), all));
    }

    /** Without replayed documents, whose tokens are not added. */
    TokenMetrics tokens() {
        return new TokenMetrics(
                total(Of.ENTROPY) / total(Of.TOKENS),
                total(Of.RIGHT_TOKENS) / total(Of.TRIED_TOKENS),
                total(Of.CHOSEN_LOGITS) / total(Of.CHOSEN_TOKENS),
                total(Of.REJECTED_LOGITS) / total(Of.REJECTED_TOKENS));
    }

    /** For an observer. */
    List<StepObserver.Line> lines() {
        List<StepObserver.Line> lines = new ArrayList<>();
        for (Slot slot : slots) {
            double loss = 0;
            List<Double> margins = new ArrayList<>();
            for (int row = slot.row(); row < slot.row() + slot.rows(); row++) {
                loss += get(row, Of.LOSS);
                margins.add(get(row, Of.REWARD_CHOSEN) - get(row, Of.REWARD_REJECTED));
            }
            boolean hasPairs =
                    !(slot.example() instanceof Example.Document || slot.example() instanceof Example.Unpaired);
            lines.add(new StepObserver.Line(slot.line(), slot.factor(), loss, hasPairs ? margins : List.of()));
        }
        return lines;
    }
}
