package org.calm4j.engine.train;

import java.util.List;

/**
 * One example's place in a step.
 *
 * @param line its number in the data; -1 for a replayed document
 * @param entry under which its reference is known; mostly {@code line}
 * @param factor of its loss in the step's loss
 * @param row its first one in the {@link StepTable}
 */
record Slot(Example example, int line, int entry, double factor, int row) {
    /** Rows that it has in the table: one for each pair, or for the document. */
    int rows() {
        return Math.max(1, example.preferences().size());
    }

    /** Appends one after the last. */
    static void add(List<Slot> slots, Example example, int line, double factor) {
        add(slots, example, line, line, factor);
    }

    /** Appends one as an epoch takes it. */
    static void add(List<Slot> slots, Example example, int line, int entry, double factor) {
        int row = slots.isEmpty() ? 0 : slots.getLast().row() + slots.getLast().rows();
        slots.add(new Slot(example, line, entry, factor, row));
    }

    /** The same, with another factor. */
    Slot times(double scale) {
        return new Slot(example, line, entry, scale * factor, row);
    }
}
