package org.calm4j.engine.jinja;

import java.math.BigInteger;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Values as Python's {@code repr} writes them. */
final class Repr {
    private static final int DEEPEST = 300;
    private static final int LARGEST = 10_000_000;

    private final StringBuilder to = new StringBuilder();

    private Repr() {}

    static String of(Object value) {
        Repr repr = new Repr();
        repr.value(value, 0);
        return repr.to.toString();
    }

    static void checkDepth(int depth) {
        if (depth > DEEPEST) {
            throw new TemplateFailure("has a value that nests deeper than " + DEEPEST + " levels");
        }
    }

    private void value(Object value, int depth) {
        checkDepth(depth);
        if (to.length() > LARGEST) {
            throw new TemplateFailure("makes a text of more than " + LARGEST + " characters");
        }
        switch (value) {
            case null -> to.append("None");
            case Boolean bool -> to.append(bool ? "True" : "False");
            case Long number -> to.append(number);
            case BigInteger number -> to.append(number);
            case Double number -> to.append(Numbers.repr(number));
            case String text -> string(text);
            case Markup markup -> {
                to.append("Markup(");
                string(markup.text());
                to.append(')');
            }
            case Range range -> to.append(range);
            case List<?> list -> items('[', list, ']', depth);
            case Tuple tuple -> {
                items('(', tuple.items(), ')', depth);
                if (tuple.items().size() == 1) {
                    to.insert(to.length() - 1, ',');
                }
            }
            case Map<?, ?> map -> map(map, depth);
            case View view -> {
                to.append("dict_").append(view.kind()).append('(');
                items('[', view.list(), ']', depth);
                to.append(')');
            }
            case Undefined _ -> to.append("Undefined");
            case Namespace namespace -> {
                to.append("<Namespace ");
                map(namespace.attributes(), depth);
                to.append('>');
            }
            case Callable callable when callable.name().startsWith("<") -> to.append(callable.name());
            case Loop loop ->
                to.append("<LoopContext ")
                        .append(loop.index())
                        .append('/')
                        .append(loop.length())
                        .append('>');
            // Python writes an address, which is never the same.
            default -> throw new TemplateFailure("writes out " + Python.type(value));
        }
    }

    private void items(char open, Iterable<?> items, char close, int depth) {
        to.append(open);
        for (Iterator<?> each = items.iterator(); each.hasNext(); ) {
            value(each.next(), depth + 1);
            to.append(each.hasNext() ? ", " : "");
        }
        to.append(close);
    }

    private void map(Map<?, ?> map, int depth) {
        to.append('{');
        boolean first = true;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            to.append(first ? "" : ", ");
            first = false;
            value(entry.getKey(), depth + 1);
            to.append(": ");
            value(entry.getValue(), depth + 1);
        }
        to.append('}');
    }

    private void string(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        to.append(quote);
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            switch (c) {
                case '\n' -> to.append("\\n");
                case '\r' -> to.append("\\r");
                case '\t' -> to.append("\\t");
                case '\\' -> to.append("\\\\");
                default -> {
                    if (c == quote) {
                        to.append('\\').append(quote);
                    } else if (isPrintable(c)) {
                        to.appendCodePoint(c);
                    } else {
                        to.append(String.format(c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c));
                    }
                }
            }
            i += Character.charCount(c);
        }
        to.append(quote);
    }

    static boolean isPrintable(int c) {
        return c == ' '
                || switch (Character.getType(c)) {
                    case Character.CONTROL,
                            Character.FORMAT,
                            Character.SURROGATE,
                            Character.PRIVATE_USE,
                            Character.UNASSIGNED,
                            Character.LINE_SEPARATOR,
                            Character.PARAGRAPH_SEPARATOR,
                            Character.SPACE_SEPARATOR -> false;
                    default -> true;
                };
    }
}
