package org.calm4j.engine.text;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.lib.filter.MapFilter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/** A filter that Jinjava lacks or has otherwise. */
record ChatFilter(String name, Body body) implements Filter {
    interface Body {
        Object apply(Object value, Object[] arguments, Map<String, Object> named);
    }

    static final List<ChatFilter> ALL = List.of(
            new ChatFilter("tojson", (value, arguments, named) -> PythonJson.write(value, named.getOrDefault("indent", null))),
            new ChatFilter(ChatExpression.REVERSED, (value, arguments, named) -> reversed(value)),
            new ChatFilter("items", (value, arguments, named) -> value instanceof Map<?, ?> map ? List.copyOf(map.entrySet()) : List.of()),
            new ChatFilter("map", (value, arguments, named) -> map(value, arguments, named)),
            new ChatFilter("join", (value, arguments, named) -> join(value, arguments)),
            new ChatFilter("trim", (value, arguments, named) -> value == null ? ""
                    : PythonString.call(value.toString(), "strip", arguments)),
            new ChatFilter("replace", (value, arguments, named) -> arguments.length < 2 ? value
                    : PythonString.replace(String.valueOf(value), String.valueOf(arguments[0]), String.valueOf(arguments[1]))));

    private static Object reversed(Object value) {
        return switch (value) {
            case String text -> new StringBuilder(text).reverse().toString();
            case List<?> list -> new ArrayList<>(list.reversed());
            case null, default -> throw new ChatFailure("turns around what is no sequence");
        };
    }

    /** Jinjava's own does not follow the dots of an attribute. */
    private static Object map(Object value, Object[] arguments, Map<String, Object> named) {
        if (!(named.get("attribute") instanceof String path) || !(value instanceof Collection<?> items)) {
            return new MapFilter().filter(value, JinjavaInterpreter.getCurrent(), arguments, named);
        }
        List<Object> found = new ArrayList<>();
        for (Object item : items) {
            Object at = item;
            for (String name : path.split("\\.")) {
                at = at instanceof Map<?, ?> map ? map.get(name) : null;
            }
            found.add(at);
        }
        return found;
    }

    private static String join(Object value, Object[] arguments) {
        String separator = arguments.length == 0 ? "" : String.valueOf(arguments[0]);
        if (!(value instanceof Collection<?> items)) {
            throw new ChatFailure("joins what is no list");
        }
        StringBuilder joined = new StringBuilder();
        for (Object item : items) {
            joined.append(joined.isEmpty() ? "" : separator).append(item);
            if (joined.length() > ChatJinja.MOST_CHARACTERS) {
                throw new ChatFailure("makes too large a value");
            }
        }
        return joined.toString();
    }

    @Override
    public String getName() {
        return name;
    }

    @Override
    public Object filter(Object value, JinjavaInterpreter interpreter, Object[] arguments, Map<String, Object> named) {
        return body.apply(value, arguments, named);
    }

    @Override
    public Object filter(Object value, JinjavaInterpreter interpreter, String... arguments) {
        return body.apply(value, arguments, Map.of());
    }
}
