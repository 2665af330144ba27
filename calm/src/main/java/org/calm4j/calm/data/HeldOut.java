package org.calm4j.calm.data;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.RandomAccess;
import org.calm4j.engine.Setting;
import org.calm4j.engine.random.CounterRandom;

/**
 * Lines in two parts, each in the order of the lines: some are trained on, the others are held out for evaluation.
 *
 * @param trained numbers of lines, from 0, ascending
 * @param held the others
 */
public record HeldOut(int[] trained, int[] held) {
    /**
     * A function of its arguments alone.
     *
     * @param lines there are
     * @param size of the held out part: a share below 1, rounded up, or a number; as in scikit-learn's {@code train_test_split}
     * @throws org.calm4j.engine.CalmException wrong usage: nothing would be left
     */
    public static HeldOut of(int lines, double size, long seed) {
        int count = (int) Math.min(Integer.MAX_VALUE, size < 1 ? Math.ceil(size * lines) : size);
        Setting.of("val_size")
                .check(count < lines, "holds out " + count + " of the data's " + lines + " lines; none are left");
        int[] order = CounterRandom.permutation(CounterRandom.seed(seed, "held out"), lines);
        BitSet chosen = new BitSet();
        Arrays.stream(order, 0, count).forEach(chosen::set);
        BitSet others = new BitSet();
        others.set(0, lines);
        others.andNot(chosen);
        return new HeldOut(others.stream().toArray(), chosen.stream().toArray());
    }

    /** Some of the lines, each read from the list when it is asked for. */
    public static <R> List<R> of(List<R> lines, int[] numbers) {
        final class Some extends AbstractList<R> implements RandomAccess {
            @Override
            public R get(int index) {
                return lines.get(numbers[index]);
            }

            @Override
            public int size() {
                return numbers.length;
            }
        }
        return new Some();
    }
}
