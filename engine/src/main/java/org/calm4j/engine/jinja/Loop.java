package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** What {@code loop} knows. Items are fetched one by one, so that a condition on the items sees what the body did. */
final class Loop {
    private static final Object MISSING = new Object();

    private final Object items;
    private Iterator<Object> iterator;
    private final int depth;
    private final Callable.Body again;
    private int index = -1;
    private int length = -1;
    private Object before = MISSING;
    private Object current = MISSING;
    private Object after = MISSING;
    private List<Object> changed;

    /**
     * @param items for the length; a {@link Lazy} where it is known only at the end
     * @param again renders the loop over other items; null where it is not recursive
     */
    Loop(Object items, Iterator<Object> iterator, int depth, Callable.Body again) {
        this.items = items;
        this.iterator = iterator;
        this.depth = depth;
        this.again = again;
    }

    boolean next() {
        if (after == MISSING && !iterator.hasNext()) {
            return false;
        }
        before = current;
        current = after == MISSING ? iterator.next() : after;
        after = MISSING;
        index++;
        return true;
    }

    Object current() {
        return current;
    }

    int index() {
        return index + 1;
    }

    private boolean hasNext() {
        if (after == MISSING && iterator.hasNext()) {
            after = iterator.next();
        }
        return after != MISSING;
    }

    int length() {
        if (length < 0) {
            if (items instanceof Lazy) {
                List<Object> rest = new ArrayList<>();
                iterator.forEachRemaining(rest::add);
                iterator = rest.iterator();
                length = rest.size() + index() + (after == MISSING ? 0 : 1);
            } else {
                length = Python.length(items);
            }
        }
        return length;
    }

    /** Null where it has no such attribute. */
    Object attribute(String name) {
        return switch (name) {
            case "index" -> (long) index();
            case "index0" -> (long) index;
            case "revindex" -> (long) length() - index;
            case "revindex0" -> (long) length() - index();
            case "first" -> index == 0;
            case "last" -> !hasNext();
            case "length" -> (long) length();
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" -> index == 0 ? new Undefined("there is no previous item") : before;
            case "nextitem" -> hasNext() ? after : new Undefined("there is no next item");
            case "cycle" ->
                new Callable(name, given -> {
                    if (given.positional().isEmpty() || !given.named().isEmpty()) {
                        throw new TemplateFailure("has no values to cycle through");
                    }
                    return given.positional().get(index % given.positional().size());
                });
            case "changed" ->
                new Callable(name, given -> {
                    given.places(name, 0, given.positional().size());
                    boolean other = changed == null || !Python.equal(changed, given.positional());
                    changed = given.positional();
                    return other;
                });
            default -> MISSING;
        };
    }

    static boolean has(Object attribute) {
        return attribute != MISSING;
    }

    Object call(Arguments given) {
        if (again == null) {
            throw new TemplateFailure("calls a loop that is not recursive");
        }
        return again.call(given);
    }
}
