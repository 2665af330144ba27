package org.calm4j.engine.jinja;

import java.util.AbstractList;

/** Python's range, of at most as many items as Jinja2's sandbox allows. */
final class Range extends AbstractList<Object> {
    private static final int LONGEST = 100_000;

    private final long from;
    private final long to;
    private final long step;
    private final int size;

    Range(long from, long to, long step) {
        if (step == 0) {
            throw new TemplateFailure("has a range with step 0");
        }
        this.from = from;
        this.to = to;
        this.step = step;
        double length = Math.ceil(((double) to - from) / step);
        if (length > LONGEST) {
            throw new TemplateFailure("has a range of more than " + LONGEST + " numbers");
        }
        size = (int) Math.max(0, length);
    }

    Range slice(int first, int count, int stride) {
        return new Range(from + first * step, from + (first + (long) count * stride) * step, step * stride);
    }

    @Override
    public Object get(int index) {
        return from + index * step;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String toString() {
        return "range(" + from + ", " + to + (step == 1 ? ")" : ", " + step + ")");
    }
}
