package org.calm4j.calm.metric;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.apache.commons.math3.util.Combinations;
import org.apache.commons.math3.util.CombinatoricsUtils;
import org.calm4j.engine.random.CounterRandom;

/** The choices of k items out of a list; a fixed random part of them where there are too many to count. */
final class Subset {
    static final int MOST_SUBSETS = 1000;

    private Subset() {}

    static <T> List<List<T>> all(List<T> items, int k) {
        List<List<T>> subsets = new ArrayList<>();
        if (CombinatoricsUtils.binomialCoefficientDouble(items.size(), k) <= MOST_SUBSETS) {
            Iterator<int[]> each = new Combinations(items.size(), k).iterator();
            while (each.hasNext()) {
                subsets.add(pick(items, each.next()));
            }
            return subsets;
        }
        long seed = CounterRandom.seed(k, "subset");
        Set<List<T>> seen = new HashSet<>();
        for (int draw = 0; seen.size() < MOST_SUBSETS; draw++) {
            int[] order = CounterRandom.permutation(CounterRandom.seed(seed, draw), items.size());
            int[] chosen = Arrays.stream(order).limit(k).sorted().toArray();
            List<T> subset = pick(items, chosen);
            if (seen.add(subset)) {
                subsets.add(subset);
            }
        }
        return subsets;
    }

    private static <T> List<T> pick(List<T> items, int[] chosen) {
        List<T> subset = new ArrayList<>(chosen.length);
        for (int i : chosen) {
            subset.add(items.get(i));
        }
        return subset;
    }
}
