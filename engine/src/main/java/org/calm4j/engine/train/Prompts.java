package org.calm4j.engine.train;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.longs.Long2IntOpenHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.random.CounterRandom;

/** Which lines have the same prompt. */
final class Prompts {
    private Prompts() {}

    /** A number for each line, the same for lines of one prompt, in the order in which prompts appear from 0. A document has one of its own. */
    static int[] groups(List<? extends Example> lines) {
        // By a hash of 64 bits, so that prompts need not be kept: two that share it would only be neighbours.
        var numbers = new Long2IntOpenHashMap();
        int[] groups = new int[lines.size()];
        int count = 0;
        int i = 0;
        for (Example line : lines) {
            int number = count;
            if (!line.preferences().isEmpty()) {
                number = numbers.getOrDefault(hash(line), count);
                numbers.put(hash(line), number);
            }
            groups[i++] = number;
            count = Math.max(count, number + 1);
        }
        return groups;
    }

    private static long hash(Example line) {
        long hash = 0;
        for (Example.Preference pair : line.preferences()) {
            hash = hash(hash, pair.prompt());
        }
        return hash;
    }

    /** Of a prompt after others. */
    static long hash(long before, int[] prompt) {
        long hash = before;
        for (int token : prompt) {
            hash = CounterRandom.seed(hash, token);
        }
        return hash;
    }

    /** A step's lines with those of one prompt one after another, in the order in which prompts appear. */
    static int[] together(List<? extends Example> lines, int[] some) {
        Map<Object, IntArrayList> byPrompt = new LinkedHashMap<>();
        for (int line : some) {
            Example example = lines.get(line);
            Object prompt = example.preferences().isEmpty()
                    ? line
                    : IntArrayList.wrap(example.preferences().getFirst().prompt());
            byPrompt.computeIfAbsent(prompt, added -> new IntArrayList()).add(line);
        }
        return byPrompt.values().stream().flatMapToInt(IntArrayList::intStream).toArray();
    }
}
