package org.calm4j.engine.train.division;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.ranks.Ranks;

/**
 * How the work of a step is divided. The lines of a step go into parts, whose gradients are added in the order of a binary tree over the parts'
 * numbers; ranks share the parts. So the parts decide bits, and ranks do not.
 *
 * @param parts a power of two up to {@link #MOST}
 * @param ranks as many as divide the parts
 * @param dividesMoments whether ranks share the optimizer's moments too (ZeRO-1); it changes no bits
 */
public record Division(int parts, Ranks ranks, boolean dividesMoments) {
    public static final int MOST = 1024;
    /** The setting's name. */
    public static final String PARTS = "parts";

    /** One part, one process. */
    public static final Division NONE = new Division(1, Ranks.alone());

    /** @throws CalmException wrong usage: no power of two, or ranks that do not divide it */
    public Division {
        Setting.of(PARTS).check(isParts(parts), "must be a power of two from 1 to " + MOST);
        if (parts % ranks.size() != 0) {
            throw CalmException.usage(
                    ranks.size() + " ranks do not divide " + parts
                            + (parts == 1 ? " part" : " parts") + "; take " + divisors(parts)
                            + " of them, or another value of ",
                    Setting.of(PARTS));
        }
    }

    /** Every rank has all moments. */
    public Division(int parts, Ranks ranks) {
        this(parts, ranks, false);
    }

    /** Whether a step can have so many parts. */
    public static boolean isParts(int number) {
        return number >= 1 && number <= MOST && Integer.bitCount(number) == 1;
    }

    private static String divisors(int parts) {
        List<String> all = IntStream.iterate(1, n -> n <= parts, n -> 2 * n)
                .mapToObj(String::valueOf)
                .collect(Collectors.toCollection(ArrayList::new));
        String last = all.removeLast();
        return all.isEmpty() ? last : String.join(", ", all) + " or " + last;
    }

    /** How many parts a rank computes. */
    public int share() {
        return parts / ranks.size();
    }

    /** The first of this rank's parts; the others follow it. */
    public int first() {
        return ranks.rank() * share();
    }

    public boolean isOwn(int part) {
        return part / share() == ranks.rank();
    }

    /**
     * The part of each of these lines: contiguous, with as equal numbers of rows as can be. A line lies where its middle row does.
     *
     * @param rows of each line
     */
    public int[] partsOf(int[] rows) {
        long all = IntStream.of(rows).asLongStream().sum();
        int[] part = new int[rows.length];
        long before = 0;
        for (int i = 0; i < rows.length; i++) {
            part[i] = (int) ((2 * before + rows[i]) * parts / (2 * all));
            before += rows[i];
        }
        return part;
    }
}
