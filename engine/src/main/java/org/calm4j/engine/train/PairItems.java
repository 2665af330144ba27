package org.calm4j.engine.train;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.model.Scorer;

/** Pairs as what a model scores: prompts with their completions, in the order of the pairs. */
final class PairItems {
    /** Rows of a prompt's completions that are computed together, at most. */
    private static final int SHARED_ROWS = 2048;

    private final List<Scorer.Item> items = new ArrayList<>();
    /** By prompt, the item that takes more completions; null where each pair has its own. */
    private final Map<IntArrayList, Integer> open;
    /** Of each sequence, chosen and rejected of each pair in turn: its item. */
    private final IntArrayList item = new IntArrayList();
    /** And its place there. */
    private final IntArrayList place = new IntArrayList();

    PairItems(boolean sharePrompts) {
        open = sharePrompts ? new HashMap<>() : null;
    }

    void add(Example.Preference pair) {
        if (pair.prompt() == pair.rejectedPrompt()) {
            add(pair.prompt(), List.of(pair.chosen(), pair.rejected()));
        } else {
            add(pair.prompt(), List.of(pair.chosen()));
            add(pair.rejectedPrompt(), List.of(pair.rejected()));
        }
    }

    private void add(int[] prompt, List<int[]> completions) {
        int index = open == null ? -1 : open.getOrDefault(IntArrayList.wrap(prompt), -1);
        int more =
                completions.stream().mapToInt(completion -> completion.length).sum();
        if (index < 0 || items.get(index).rows() + more > SHARED_ROWS) {
            index = items.size();
            items.add(new Scorer.Item(prompt, new ArrayList<>()));
            if (open != null) {
                open.put(IntArrayList.wrap(prompt), index);
            }
        }
        for (int[] completion : completions) {
            item.add(index);
            place.add(items.get(index).completions().size());
            items.get(index).completions().add(completion);
        }
    }

    List<Scorer.Item> all() {
        return items;
    }

    /** Chosen and rejected of each pair in turn. */
    int sequences() {
        return item.size();
    }

    /** Pairs that so many items have. */
    int pairs(int count) {
        return items.subList(0, count).stream()
                        .mapToInt(each -> each.completions().size())
                        .sum()
                / 2;
    }

    /** A sequence's own among the scores of all items. */
    double[] of(int sequence, List<List<double[]>> scores) {
        return scores.get(item.getInt(sequence)).get(place.getInt(sequence));
    }
}
