package org.calm4j.engine.jinja;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** JSON as Python's {@code json.dumps} writes it, with the settings that transformers' {@code tojson} passes on. */
final class JsonText {
    private static final int DEEPEST = 300;

    private final StringBuilder to = new StringBuilder();
    private final Budget budget;
    private final boolean ascii;
    /** Indentation of a level; null for output on one line. */
    private final String indent;

    private final String comma;
    private final String colon;
    private final boolean sorted;

    private JsonText(Budget budget, Object[] given) {
        this.budget = budget;
        ascii = Arguments.flag(given[0]);
        indent = indent(Arguments.or(given[1], null));
        Object separators = Arguments.or(given[2], null);
        if (separators == null) {
            comma = indent == null ? ", " : ",";
            colon = ": ";
        } else {
            List<?> pair = Python.list(separators);
            if (pair == null
                    || pair.size() != 2
                    || Python.text(pair.get(0)) == null
                    || Python.text(pair.get(1)) == null) {
                throw new TemplateFailure("gives tojson separators that are not two texts");
            }
            comma = Python.text(pair.get(0));
            colon = Python.text(pair.get(1));
        }
        sorted = Arguments.flag(given[3]);
    }

    static String of(Object value, Arguments given, Budget budget) {
        JsonText json =
                new JsonText(budget, given.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys"));
        json.value(value, 0);
        return budget.made(json.to.toString());
    }

    private String indent(Object given) {
        if (given == null) {
            return null;
        }
        String text = Python.text(given);
        if (text != null) {
            return text;
        }
        int width = Math.max(0, Numbers.small(given, "indent"));
        budget.text(width);
        return " ".repeat(width);
    }

    private void value(Object value, int depth) {
        budget.step();
        budget.text(to.length() / 64);
        if (depth > DEEPEST) {
            throw new TemplateFailure("writes JSON that nests deeper than " + DEEPEST + " levels");
        }
        switch (value) {
            case null -> to.append("null");
            case Boolean bool -> to.append(bool);
            case Long number -> to.append(number);
            case BigInteger number -> to.append(number);
            case Double number -> to.append(number(number));
            case String text -> string(text);
            case Markup markup -> string(markup.text());
            case Range _ -> throw new TemplateFailure("writes a range as JSON");
            case List<?> list -> list(list, depth);
            case Tuple tuple -> list(tuple.items(), depth);
            case Map<?, ?> map -> map(map, depth);
            default -> throw new TemplateFailure("writes " + Python.type(value) + " as JSON");
        }
    }

    private static String number(double value) {
        return Double.isNaN(value)
                ? "NaN"
                : Double.isInfinite(value) ? value < 0 ? "-Infinity" : "Infinity" : Numbers.repr(value);
    }

    private void list(List<?> list, int depth) {
        to.append('[');
        for (int i = 0; i < list.size(); i++) {
            to.append(i == 0 ? "" : comma);
            line(depth + 1);
            value(list.get(i), depth + 1);
        }
        if (!list.isEmpty()) {
            line(depth);
        }
        to.append(']');
    }

    private void map(Map<?, ?> map, int depth) {
        List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
        if (sorted) {
            budget.step(entries.size() * 8L);
            entries.sort((a, b) -> Python.ordered("<", a.getKey(), b.getKey())
                    ? -1
                    : Python.ordered("<", b.getKey(), a.getKey()) ? 1 : 0);
        }
        to.append('{');
        boolean first = true;
        for (Map.Entry<?, ?> entry : entries) {
            to.append(first ? "" : comma);
            first = false;
            line(depth + 1);
            string(key(entry.getKey()));
            to.append(colon);
            value(entry.getValue(), depth + 1);
        }
        if (!entries.isEmpty()) {
            line(depth);
        }
        to.append('}');
    }

    private static String key(Object key) {
        return switch (key) {
            case null -> "null";
            case String text -> text;
            case Boolean bool -> bool.toString();
            case Double number -> number(number);
            case Long number -> number.toString();
            case BigInteger number -> number.toString();
            default -> throw new TemplateFailure("writes a dict as JSON that has " + Python.type(key) + " as a key");
        };
    }

    private void line(int depth) {
        if (indent != null) {
            budget.text((long) indent.length() * depth);
            to.append('\n').repeat(indent, depth);
            budget.text(to.length() / 64);
        }
    }

    private void string(String text) {
        to.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> to.append("\\\"");
                case '\\' -> to.append("\\\\");
                case '\n' -> to.append("\\n");
                case '\r' -> to.append("\\r");
                case '\t' -> to.append("\\t");
                case '\b' -> to.append("\\b");
                case '\f' -> to.append("\\f");
                default -> {
                    if (c < 0x20 || ascii && c > 0x7E) {
                        to.append(String.format("\\u%04x", (int) c));
                    } else {
                        to.append(c);
                    }
                }
            }
        }
        to.append('"');
    }
}
