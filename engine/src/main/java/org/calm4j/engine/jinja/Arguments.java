package org.calm4j.engine.jinja;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The arguments of a call, and how they map to a function's parameters. */
record Arguments(List<Object> positional, Map<String, Object> named) {
    /** Stands for an argument that was not passed. */
    static final Object ABSENT = new Object();

    static final Arguments NONE = new Arguments(List.of(), Map.of());

    /**
     * Arguments by position and by name.
     *
     * @param required how many of them must be there
     * @return one value a parameter, {@link #ABSENT} where none was passed
     */
    Object[] bind(String function, int required, String... parameters) {
        if (positional.size() > parameters.length) {
            throw new TemplateFailure(
                    function + " takes at most " + parameters.length + " arguments and was given " + positional.size());
        }
        Object[] values = new Object[parameters.length];
        Arrays.fill(values, ABSENT);
        for (int i = 0; i < positional.size(); i++) {
            values[i] = positional.get(i);
        }
        named.forEach((name, value) -> {
            int index = Arrays.asList(parameters).indexOf(name);
            if (index < 0 || values[index] != ABSENT) {
                throw new TemplateFailure(function
                        + (index < 0 ? " has no argument named " : " was given twice the argument ")
                        + Text.quote(name));
            }
            values[index] = value;
        });
        for (int i = 0; i < required; i++) {
            if (values[i] == ABSENT) {
                throw new TemplateFailure(function + " lacks the argument \"" + parameters[i] + "\"");
            }
        }
        return values;
    }

    /** Arguments by position only. */
    Object[] places(String function, int required, int most) {
        if (!named.isEmpty()) {
            throw new TemplateFailure(function + " takes no named arguments");
        }
        String[] names = new String[most];
        Arrays.setAll(names, i -> "number " + (i + 1));
        return bind(function, required, names);
    }

    Arguments after(int count) {
        return new Arguments(positional.subList(Math.min(count, positional.size()), positional.size()), named);
    }

    Arguments with(String name, Object value) {
        Map<String, Object> all = new LinkedHashMap<>(named);
        if (all.put(name, value) != null) {
            throw new TemplateFailure("a call is given twice the argument " + Text.quote(name));
        }
        return new Arguments(positional, all);
    }

    static Object or(Object value, Object otherwise) {
        return value == ABSENT ? otherwise : value;
    }

    static boolean flag(Object value) {
        return value != ABSENT && Python.truth(value);
    }
}
