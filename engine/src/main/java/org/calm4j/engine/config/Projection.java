package org.calm4j.engine.config;

import java.util.Comparator;

/**
 * A linear layer of a block by its role: the key of its weight, its name and its adapter. LoRA can adapt these layers.
 *
 * @param expert number of the expert in a mixture of them; {@link #SHARED} for the one that all tokens go through
 */
public record Projection(Role role, int expert) implements Comparable<Projection> {
    public static final int SHARED = -1;

    public static final Projection Q = new Projection(Role.Q);
    public static final Projection K = new Projection(Role.K);
    public static final Projection V = new Projection(Role.V);
    public static final Projection QKV = new Projection(Role.QKV);
    public static final Projection O = new Projection(Role.O);
    public static final Projection GATE = new Projection(Role.GATE);
    public static final Projection UP = new Projection(Role.UP);
    public static final Projection DOWN = new Projection(Role.DOWN);

    /** Their order is that of weights in memory and in saved files; order and number enter the seeds of dropout. */
    public enum Role {
        Q,
        K,
        V,
        /** Queries, keys and values in one product. */
        QKV,
        O,
        GATE,
        UP,
        DOWN
    }

    private static final Comparator<Projection> ORDER =
            Comparator.comparing(Projection::role).thenComparing(Projection::expert);

    private Projection(Role role) {
        this(role, SHARED);
    }

    /** A unique number for the projection in that layer, for random numbers. */
    public long number(int layer) {
        return ((expert + 1L) << 32) + (long) layer * Role.values().length + role.ordinal();
    }

    @Override
    public int compareTo(Projection other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return expert == SHARED ? role.name() : role.name() + expert;
    }
}
