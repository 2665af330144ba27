package org.calm4j.engine.train;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.longs.Long2IntOpenHashMap;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;
import org.calm4j.engine.model.Scorer;

/**
 * Pairs as what a model scores: prompts with their completions, in the order of the pairs. Sequences are numbered, chosen and rejected of each
 * pair in turn; their tokens are taken from the lines when they are needed, since lines may be read from a file.
 */
final class PairItems extends AbstractList<Scorer.Item> implements RandomAccess {
    /** Rows of a prompt's completions that are computed together, at most. */
    private static final int SHARED_ROWS = 2048;

    private final List<? extends Example> lines;
    /** By a hash of the prompt, the last item with it; null where each pair has its own. */
    private final Long2IntOpenHashMap open;
    /** Of each pair: its line, and its place there. */
    private final IntArrayList line = new IntArrayList();

    private final IntArrayList placeInLine = new IntArrayList();
    /** Of each sequence: its length. */
    private final IntArrayList length = new IntArrayList();
    /** Of each item: its sequences, and the rows that it takes. */
    private final List<IntArrayList> items = new ArrayList<>();

    private final IntArrayList rows = new IntArrayList();

    /** @param taken marks the lines that are scored; null for all */
    PairItems(List<? extends Example> lines, boolean[] taken, boolean sharePrompts) {
        this.lines = lines;
        open = sharePrompts ? new Long2IntOpenHashMap() : null;
        for (int i = 0; i < lines.size(); i++) {
            List<Example.Preference> pairs =
                    taken == null || taken[i] ? lines.get(i).preferences() : List.of();
            for (int place = 0; place < pairs.size(); place++) {
                line.add(i);
                placeInLine.add(place);
                add(pairs.get(place));
            }
        }
    }

    private void add(Example.Preference pair) {
        int chosen = item(pair.prompt(), pair.chosen().length, pair.rejected().length);
        add(chosen, pair.chosen());
        add(
                pair.prompt() == pair.rejectedPrompt()
                        ? chosen
                        : item(pair.rejectedPrompt(), pair.rejected().length, 0),
                pair.rejected());
    }

    /** An item of this prompt that takes completions of these lengths. */
    private int item(int[] prompt, int first, int second) {
        if (open != null) {
            long hash = Prompts.hash(0, prompt);
            int last = open.getOrDefault(hash, -1);
            if (last >= 0
                    && rows.getInt(last) + first + second <= SHARED_ROWS
                    && Arrays.equals(prompt, prompt(items.get(last).getInt(0)))) {
                return last;
            }
            open.put(hash, items.size());
        }
        items.add(new IntArrayList(2));
        rows.add(prompt.length);
        return items.size() - 1;
    }

    private void add(int item, int[] completion) {
        items.get(item).add(length.size());
        rows.set(item, rows.getInt(item) + completion.length - 1);
        length.add(completion.length);
    }

    private Example.Preference pair(int sequence) {
        return lines.get(line.getInt(sequence / 2)).preferences().get(placeInLine.getInt(sequence / 2));
    }

    private int[] prompt(int sequence) {
        return sequence % 2 == 0 ? pair(sequence).prompt() : pair(sequence).rejectedPrompt();
    }

    @Override
    public Scorer.Item get(int item) {
        List<int[]> completions = new ArrayList<>();
        for (int sequence : items.get(item)) {
            Example.Preference pair = pair(sequence);
            completions.add(sequence % 2 == 0 ? pair.chosen() : pair.rejected());
        }
        return new Scorer.Item(prompt(items.get(item).getInt(0)), completions);
    }

    @Override
    public int size() {
        return items.size();
    }

    /** Pairs of each line; 0 where it is not scored. */
    int[] pairsByLine() {
        int[] pairs = new int[lines.size()];
        line.forEach(i -> pairs[i]++);
        return pairs;
    }

    int sequences() {
        return length.size();
    }

    /** The number of a completion of an item. */
    int sequence(int item, int completion) {
        return items.get(item).getInt(completion);
    }

    /** Tokens that both completions of a sequence's pair have room for. */
    int shared(int sequence) {
        return Math.min(length.getInt(sequence), length.getInt(sequence ^ 1));
    }
}
