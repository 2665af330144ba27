package org.calm4j.engine.jinja;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/** Python's {@code text % values}. */
final class Printf {
    private final String format;
    private final boolean markup;
    private final Object values;
    private final Budget budget;
    private final StringBuilder to = new StringBuilder();
    private int at;
    private int taken;

    private Printf(Object format, Object values, Budget budget) {
        this.format = Python.text(format);
        this.markup = format instanceof Markup;
        this.values = values;
        this.budget = budget;
    }

    static Object format(Object format, Object values, Budget budget) {
        Printf printf = new Printf(format, values, budget);
        String text = printf.run();
        return printf.markup ? new Markup(text) : text;
    }

    private String run() {
        while (at < format.length()) {
            char c = format.charAt(at++);
            if (c == '%') {
                conversion();
                budget.text(to.length());
            } else {
                to.append(c);
            }
        }
        boolean hasKeys = values instanceof Map
                || values instanceof List && !(values instanceof Range)
                || values instanceof Range
                || values instanceof Undefined
                || values instanceof Namespace;
        int given = values instanceof Tuple tuple ? tuple.items().size() : hasKeys ? 0 : 1;
        if (taken < given) {
            throw new TemplateFailure("gives a format more values than it has places for");
        }
        return budget.made(to.toString());
    }

    private char next() {
        if (at >= format.length()) {
            throw new TemplateFailure("has a format that ends within a conversion");
        }
        return format.charAt(at++);
    }

    private void conversion() {
        Object value = Arguments.ABSENT;
        char c = next();
        if (c == '(') {
            value = keyed();
            c = next();
        }
        boolean left = false;
        boolean alternate = false;
        boolean zero = false;
        String plus = "";
        for (; "#0- +".indexOf(c) >= 0; c = next()) {
            left |= c == '-';
            alternate |= c == '#';
            zero |= c == '0';
            plus = c == '+' || c == ' ' && plus.isEmpty() ? String.valueOf(c) : plus;
        }
        int width = 0;
        if (c == '*') {
            width = Numbers.small(take(), "a width");
            left |= width < 0;
            width = Math.abs(width);
            c = next();
        } else {
            for (; c >= '0' && c <= '9'; c = next()) {
                width = Math.min(width, 100_000_000) * 10 + c - '0';
            }
        }
        int precision = -1;
        if (c == '.') {
            precision = 0;
            c = next();
            if (c == '*') {
                precision = Math.max(0, Numbers.small(take(), "a precision"));
                c = next();
            } else {
                for (; c >= '0' && c <= '9'; c = next()) {
                    precision = Math.min(precision, 100_000_000) * 10 + c - '0';
                }
            }
        }
        if (c == 'h' || c == 'l' || c == 'L') {
            c = next();
        }
        if (c == '%') {
            to.append('%');
            return;
        }
        budget.text(Math.max(width, precision));
        write(c, value == Arguments.ABSENT ? take() : value, left, alternate, zero, plus, width, precision);
    }

    private Object keyed() {
        int depth = 1;
        int start = at;
        while (depth > 0) {
            char c = next();
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        }
        if (!(values instanceof Map<?, ?> map)) {
            throw new TemplateFailure("gives a format with names " + Python.type(values) + " instead of a dict");
        }
        String name = format.substring(start, at - 1);
        Object key = Dicts.key(map, name);
        if (key == Dicts.NONE) {
            throw new TemplateFailure("gives a format no value named " + Text.quote(name));
        }
        return map.get(key);
    }

    private Object take() {
        if (values instanceof Tuple tuple && taken < tuple.items().size()) {
            return tuple.items().get(taken++);
        }
        if (values instanceof Tuple || taken > 0) {
            throw new TemplateFailure("gives a format fewer values than it has places for");
        }
        taken = 1;
        return values;
    }

    private void write(
            char type,
            Object value,
            boolean left,
            boolean alternate,
            boolean zero,
            String plus,
            int width,
            int precision) {
        String sign = "";
        String body;
        boolean number = true;
        switch (type) {
            case 's', 'r', 'a' -> {
                String text = type == 's' ? markup ? Markup.safe(value) : Python.string(value) : Repr.of(value);
                body = precision >= 0 && precision < Text.length(text) ? Text.sub(text, 0, precision) : text;
                number = false;
            }
            case 'c' -> {
                body = character(value);
                number = false;
            }
            case 'd', 'i', 'u', 'x', 'X', 'o' -> {
                BigInteger integer = integer(value, type);
                sign = integer.signum() < 0 ? "-" : plus;
                String digits = FloatFormat.integer(integer, type, false);
                String prefix = alternate
                        ? switch (type) {
                            case 'x' -> "0x";
                            case 'X' -> "0X";
                            case 'o' -> "0o";
                            default -> "";
                        }
                        : "";
                sign += prefix;
                body = "0".repeat(Math.max(0, precision - digits.length())) + digits;
            }
            case 'e', 'E', 'f', 'F', 'g', 'G' -> {
                double floating = floating(value);
                sign = floating < 0 || floating == 0 && 1 / floating < 0 ? "-" : plus;
                body = FloatFormat.of(Math.abs(floating), type, precision < 0 ? 6 : precision, alternate);
            }
            default -> throw new TemplateFailure("has a format with the unknown conversion " + Text.quote("%" + type));
        }
        int fill = Math.max(0, width - Text.length(body) - sign.length());
        if (left) {
            to.append(sign).append(body).repeat(' ', fill);
        } else if (zero && number) {
            to.append(sign).repeat('0', fill).append(body);
        } else {
            to.repeat(' ', fill).append(sign).append(body);
        }
    }

    private static String character(Object value) {
        String text = Python.text(value);
        if (text != null && Text.length(text) == 1) {
            return text;
        }
        int point = Numbers.small(value, "a character");
        if (!Character.isValidCodePoint(point)) {
            throw new TemplateFailure("has a character that does not exist");
        }
        return Character.toString(point);
    }

    private static BigInteger integer(Object value, char type) {
        if (value instanceof Double number && type != 'x' && type != 'X' && type != 'o') {
            return Numbers.big(Numbers.truncated(number));
        }
        if (!Numbers.isInteger(value)) {
            throw new TemplateFailure("formats " + Python.type(value) + " as an integer");
        }
        return Numbers.big(value);
    }

    private static double floating(Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (!Numbers.isNumber(value)) {
            throw new TemplateFailure("formats " + Python.type(value) + " as a float");
        }
        return Numbers.floating(value);
    }
}
