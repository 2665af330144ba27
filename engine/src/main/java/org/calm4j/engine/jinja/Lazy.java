package org.calm4j.engine.jinja;

import java.util.Iterator;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** Python's iterator: gives its items once and has neither a length nor positions. */
record Lazy(String kind, Iterator<Object> items) {
    static Lazy mapped(Iterator<Object> items, UnaryOperator<Object> change) {
        return new Lazy("generator", new Iterator<>() {
            @Override
            public boolean hasNext() {
                return items.hasNext();
            }

            @Override
            public Object next() {
                return change.apply(items.next());
            }
        });
    }

    static Lazy chosen(Iterator<Object> items, Predicate<Object> wanted) {
        return new Lazy("generator", new Iterator<>() {
            private Object next;
            private boolean known;

            @Override
            public boolean hasNext() {
                while (!known && items.hasNext()) {
                    next = items.next();
                    known = wanted.test(next);
                }
                return known;
            }

            @Override
            public Object next() {
                if (!hasNext()) {
                    throw new java.util.NoSuchElementException();
                }
                known = false;
                return next;
            }
        });
    }
}
