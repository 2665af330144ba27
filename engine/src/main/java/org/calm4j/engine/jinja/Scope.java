package org.calm4j.engine.jinja;

import java.util.HashMap;
import java.util.Map;

/** Names and their values in a part of a template; names that are not here are looked for outside. */
final class Scope {
    /** Marks a name without a value that hides an outer one. */
    static final Object MISSING = new Object();

    private final Scope outer;
    private final Map<String, Object> values;

    Scope(Scope outer) {
        this(outer, new HashMap<>(8));
    }

    Scope(Scope outer, Map<String, Object> values) {
        this.outer = outer;
        this.values = values;
    }

    void set(String name, Object value) {
        values.put(name, value);
    }

    /** Null is a value, too. */
    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.values.get(name);
            if (value == MISSING) {
                break;
            }
            if (value != null || scope.values.containsKey(name)) {
                return value;
            }
        }
        return Undefined.name(name);
    }
}
