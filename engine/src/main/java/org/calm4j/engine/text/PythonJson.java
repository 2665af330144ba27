package org.calm4j.engine.text;

import java.util.List;
import java.util.Map;

/** JSON as Python's {@code json.dumps} writes it with {@code ensure_ascii=False}. */
final class PythonJson {
    private static final int DEEPEST = 100;

    private final StringBuilder to = new StringBuilder();
    /** Blanks a level; -1 for one line. */
    private final int indent;

    private PythonJson(int indent) {
        this.indent = indent;
    }

    /** @param indent a number, or null for one line */
    static String write(Object value, Object indent) {
        PythonJson json = new PythonJson(indent instanceof Number number ? Math.clamp(number.intValue(), 0, 16) : -1);
        json.value(value, 0);
        return json.to.toString();
    }

    private void value(Object value, int depth) {
        if (depth > DEEPEST || to.length() > ChatJinja.MOST_CHARACTERS) {
            throw new ChatFailure("makes too large a value");
        }
        switch (value) {
            case null -> to.append("null");
            case Map<?, ?> map -> list('{', '}', map.entrySet(), depth);
            case List<?> list -> list('[', ']', list, depth);
            case Map.Entry<?, ?> entry -> {
                string(String.valueOf(entry.getKey()));
                to.append(": ");
                value(entry.getValue(), depth);
            }
            case Boolean bool -> to.append(bool);
            case Number number -> to.append(number);
            default -> string(value.toString());
        }
    }

    private void list(char open, char close, Iterable<?> items, int depth) {
        to.append(open);
        boolean first = true;
        for (Object item : items) {
            to.append(first ? "" : indent < 0 ? ", " : ",");
            line(depth + 1);
            value(item, depth + 1);
            first = false;
        }
        if (!first) {
            line(depth);
        }
        to.append(close);
    }

    private void line(int depth) {
        if (indent >= 0) {
            to.append('\n').repeat(' ', indent * depth);
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
                default -> to.append(c < 0x20 ? String.format("\\u%04x", (int) c) : String.valueOf(c));
            }
        }
        to.append('"');
    }
}
