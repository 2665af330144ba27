package org.calm4j.engine.jinja;

import java.util.Arrays;
import java.util.List;

/**
 * Python's tuple: a list that prints with parentheses and equals no list.
 *
 * @param names what the items are also called; empty where they have no names
 */
record Tuple(List<Object> items, List<String> names) {
    Tuple(List<Object> items) {
        this(items, List.of());
    }

    @Override
    public boolean equals(Object other) {
        return Python.equal(this, other);
    }

    /** By size alone: items that contain each other again and again would take forever. */
    @Override
    public int hashCode() {
        return items.size();
    }

    static Tuple of(Object... items) {
        return new Tuple(Arrays.asList(items));
    }
}
