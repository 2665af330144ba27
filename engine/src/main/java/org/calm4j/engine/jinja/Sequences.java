package org.calm4j.engine.jinja;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;

/** Places, slices and copies of lists, tuples and text. */
final class Sequences {
    private Sequences() {}

    /** All items of what can be gone through, as a new list. */
    static List<Object> list(Object value, Budget budget) {
        Iterator<Object> items = Python.iterate(value);
        List<Object> list = new ArrayList<>();
        while (items.hasNext()) {
            list.add(items.next());
            budget.step();
            if (list.size() % 1000 == 0) {
                budget.items(list.size());
            }
        }
        return list;
    }

    /** {@code value[place]}; {@link Dicts#NONE} where there is no such place. */
    static Object at(Object value, Object place) {
        if (!Numbers.isInteger(place)) {
            return Dicts.NONE;
        }
        String text = Python.text(value);
        List<?> list = Python.list(value);
        if (text == null && list == null) {
            return Dicts.NONE;
        }
        Budget.walk(text == null ? 0 : text.length());
        BigInteger index = Numbers.big(place);
        int length = text != null ? Text.length(text) : list.size();
        BigInteger from = index.signum() < 0 ? index.add(BigInteger.valueOf(length)) : index;
        if (from.signum() < 0 || from.bitLength() > 31 || from.intValue() >= length) {
            return Dicts.NONE;
        }
        if (text == null) {
            return list.get(from.intValue());
        }
        String character = Text.sub(text, from.intValue(), from.intValue() + 1);
        return value instanceof Markup ? new Markup(character) : character;
    }

    /** {@code value[from:to:step]}, null for what is left out. */
    static Object slice(Object value, Object from, Object to, Object step, Budget budget) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        String text = Python.text(value);
        List<?> list = Python.list(value);
        if (text == null && list == null) {
            throw new TemplateFailure("takes a slice of " + Python.type(value));
        }
        int length = text != null ? Text.length(text) : list.size();
        int stride = step == null ? 1 : Numbers.small(step, "the step of a slice");
        if (stride == 0) {
            throw new TemplateFailure("takes a slice with step 0");
        }
        int first = from == null ? stride > 0 ? 0 : length - 1 : bound(from, length, stride);
        int last = to == null ? stride > 0 ? length : -1 : bound(to, length, stride);
        long span = stride > 0 ? (long) last - first : (long) first - last;
        int count = span <= 0 ? 0 : (int) ((span - 1) / Math.abs((long) stride) + 1);
        if (text != null) {
            Budget.walk(text.length());
            budget.text(count);
            String sliced = stride == 1 ? Text.sub(text, first, first + count) : slice(text, first, count, stride);
            return value instanceof Markup ? new Markup(sliced) : sliced;
        }
        budget.step(count);
        if (list instanceof Range range) {
            return range.slice(first, count, stride);
        }
        List<Object> sliced = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            sliced.add(list.get(first + i * stride));
        }
        return value instanceof Tuple ? new Tuple(sliced) : sliced;
    }

    private static String slice(String text, int first, int count, int stride) {
        int[] points = text.codePoints().toArray();
        StringBuilder sliced = new StringBuilder(count);
        for (int i = 0; i < count; i++) {
            sliced.appendCodePoint(points[first + i * stride]);
        }
        return sliced.toString();
    }

    /** Clamps a bound to the sequence, counted from either end. */
    private static int bound(Object place, int length, int stride) {
        int index = Numbers.small(place, "a bound of a slice");
        long from = index < 0 ? (long) index + length : index;
        return Math.clamp(from, stride > 0 ? 0 : -1, stride > 0 ? length : length - 1);
    }

    /** The range {@code [from, to)} of a method such as {@code find}. */
    static int[] window(Object from, Object to, int length) {
        return new int[] {
            from == Arguments.ABSENT || from == null ? 0 : bound(from, length, 1),
            to == Arguments.ABSENT || to == null ? length : bound(to, length, 1)
        };
    }

    static List<Object> repeated(List<?> list, Object times, Budget budget) {
        int count = Math.max(0, Numbers.small(times, "a factor"));
        budget.items((long) count * list.size());
        List<Object> repeated = new ArrayList<>();
        for (int i = 0; i < count && !list.isEmpty(); i++) {
            repeated.addAll(list);
        }
        return repeated;
    }

    /** Allowed methods of a list; null for others. */
    static Callable method(Object value, String name, Budget budget) {
        List<?> list = Python.list(value);
        return switch (name) {
            case "count" ->
                new Callable(name, given -> {
                    Object wanted = given.places(name, 1, 1)[0];
                    budget.step(list.size());
                    return list.stream()
                            .filter(each -> Python.equal(each, wanted))
                            .count();
                });
            case "index" ->
                new Callable(name, given -> {
                    Object[] values = given.places(name, 1, 3);
                    int[] window = window(values[1], values[2], list.size());
                    for (int i = window[0]; i < window[1]; i++) {
                        budget.step();
                        if (Python.equal(list.get(i), values[0])) {
                            return (long) i;
                        }
                    }
                    throw new TemplateFailure("asks for the place of what is not in the list");
                });
            case "copy" ->
                value instanceof Tuple || value instanceof Range
                        ? null
                        : new Callable(name, given -> {
                            given.places(name, 0, 0);
                            return list(value, budget);
                        });
            default -> null;
        };
    }

    static List<Object> reversed(Object value, Budget budget) {
        List<Object> list = list(value, budget);
        Collections.reverse(list);
        return list;
    }
}
