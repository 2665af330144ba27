package org.calm4j.engine.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Dicts as Java maps, whose keys are compared as Python does: 1, 1.0 and true are one key. */
final class Dicts {
    static final Object NONE = new Object();

    private Dicts() {}

    /** The key of the map that equals the value; {@link #NONE} without. */
    static Object key(Map<?, ?> map, Object value) {
        Object plain = value instanceof Markup markup ? markup.text() : value;
        checkKey(plain);
        if (plain instanceof String || !(Numbers.isNumber(plain) || plain instanceof Tuple) || map.containsKey(plain)) {
            return map.containsKey(plain) ? plain : NONE;
        }
        for (Object key : map.keySet()) {
            Budget.item();
            if (Python.equal(key, plain)) {
                return key;
            }
        }
        return NONE;
    }

    static void put(Map<Object, Object> map, Object key, Object value) {
        Object there = key(map, key);
        map.put(there == NONE ? key instanceof Markup markup ? markup.text() : key : there, value);
    }

    static void checkKey(Object value) {
        if (value instanceof List<?> && !(value instanceof Range) || value instanceof Map || value instanceof View) {
            throw new TemplateFailure("uses " + Python.type(value) + " as a key");
        }
        if (value instanceof Tuple tuple) {
            Budget.CURRENT.get().step(tuple.items().size());
            tuple.items().forEach(Dicts::checkKey);
        }
    }

    /** The function {@code dict}. */
    static Map<Object, Object> of(Arguments arguments, Budget budget) {
        Map<Object, Object> map = new LinkedHashMap<>();
        Object[] from = new Arguments(arguments.positional(), Map.of()).places("dict", 0, 1);
        if (from[0] instanceof Map<?, ?> other) {
            map.putAll(other);
        } else if (from[0] != Arguments.ABSENT) {
            Python.iterate(from[0]).forEachRemaining(pair -> {
                List<Object> parts = Sequences.list(pair, budget);
                if (parts.size() != 2) {
                    throw new TemplateFailure("makes a dict of items that are not pairs");
                }
                put(map, parts.get(0), parts.get(1));
            });
        }
        arguments.named().forEach((name, value) -> put(map, name, value));
        budget.items(map.size());
        return map;
    }
}
