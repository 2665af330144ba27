package org.calm4j.engine.jinja;

import java.math.BigInteger;
import java.util.Map;

/** Python's {@code text.format(…)}: replacement fields in braces, with the format specifications of text and numbers. */
final class BraceFormat {
    private final Interpreter interpreter;
    private final Arguments given;
    private final boolean markup;
    private final Budget budget;
    private int automatic;
    private boolean manual;

    BraceFormat(Interpreter interpreter, Arguments given, boolean markup) {
        this.interpreter = interpreter;
        this.given = given;
        this.markup = markup;
        this.budget = interpreter.budget();
    }

    String format(String text, int depth) {
        StringBuilder to = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c == '{' || c == '}') && i + 1 < text.length() && text.charAt(i + 1) == c) {
                to.append(c);
                i++;
            } else if (c == '}') {
                throw new TemplateFailure("has a format with a single \"}\"");
            } else if (c == '{') {
                int end = end(text, i);
                to.append(field(text.substring(i + 1, end), depth));
                budget.text(to.length());
                i = end;
            } else {
                to.append(c);
            }
        }
        return to.toString();
    }

    private static int end(String text, int from) {
        int depth = 0;
        for (int i = from; i < text.length(); i++) {
            depth += text.charAt(i) == '{' ? 1 : text.charAt(i) == '}' ? -1 : 0;
            if (depth == 0) {
                return i;
            }
        }
        throw new TemplateFailure("has a format with a single \"{\"");
    }

    private String field(String field, int depth) {
        if (depth > 1) {
            throw new TemplateFailure("has a format whose fields nest too deeply");
        }
        int bracket = field.indexOf('[');
        int colon = field.indexOf(':', bracket < 0 ? 0 : Math.max(0, field.indexOf(']', bracket)));
        String head = colon < 0 ? field : field.substring(0, colon);
        String specification = colon < 0 ? "" : field.substring(colon + 1);
        int mark = head.indexOf('!');
        String conversion = mark < 0 ? "" : head.substring(mark + 1);
        Object value = value(mark < 0 ? head : head.substring(0, mark));
        value = switch (conversion) {
            case "" -> value;
            case "s" -> Python.string(value);
            case "r", "a" -> Repr.of(value);
            default -> throw new TemplateFailure("has a format with an unknown conversion");
        };
        String text =
                specification(value, specification.indexOf('{') < 0 ? specification : format(specification, depth + 1));
        return markup && !(value instanceof Markup) ? Markup.escape(text) : text;
    }

    private Object value(String path) {
        int end = 0;
        while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') {
            end++;
        }
        Object value = first(path.substring(0, end));
        while (end < path.length()) {
            boolean dot = path.charAt(end) == '.';
            int stop = end + 1;
            while (stop < path.length()
                    && (dot ? path.charAt(stop) != '.' && path.charAt(stop) != '[' : path.charAt(stop) != ']')) {
                stop++;
            }
            String name = path.substring(end + 1, stop);
            if (name.isEmpty() || !dot && stop == path.length()) {
                throw new TemplateFailure("has a format with a broken field");
            }
            value = dot
                    ? interpreter.attribute(value, name)
                    : interpreter.item(value, name.matches("\\d{1,9}") ? (Object) Long.valueOf(name) : name);
            end = dot ? stop : stop + 1;
        }
        return value;
    }

    private Object first(String name) {
        if (name.isEmpty() || name.matches("\\d{1,9}")) {
            if (!name.isEmpty() && automatic > 0 || name.isEmpty() && manual) {
                throw new TemplateFailure("has a format with numbered and unnumbered fields");
            }
            manual |= !name.isEmpty();
            int index = name.isEmpty() ? automatic++ : Integer.parseInt(name);
            if (index >= given.positional().size()) {
                throw new TemplateFailure("gives a format fewer values than it has places for");
            }
            return given.positional().get(index);
        }
        if (!given.named().containsKey(name)) {
            throw new TemplateFailure("gives a format no value named " + Text.quote(name));
        }
        return given.named().get(name);
    }

    /** {@code [[fill]align][sign][#][0][width][,][.precision][type]} */
    private String specification(Object value, String text) {
        if (text.isEmpty()) {
            return Python.string(value);
        }
        boolean number = Numbers.isNumber(value) && !(value instanceof Boolean);
        int at = 0;
        String fill = " ";
        char align = number ? '>' : '<';
        int first = Character.charCount(text.codePointAt(0));
        boolean filled = text.length() > first && "<>=^".indexOf(text.charAt(first)) >= 0;
        if (filled || "<>=^".indexOf(text.charAt(0)) >= 0) {
            fill = filled ? text.substring(0, first) : fill;
            at = filled ? first : 0;
            align = text.charAt(at++);
        }
        boolean aligned = at > 0;
        String sign = "";
        if (at < text.length() && "+- ".indexOf(text.charAt(at)) >= 0) {
            sign = text.charAt(at) == '-' ? "" : text.substring(at, at + 1);
            at++;
        }
        boolean signed =
                at > 0 && "+- ".indexOf(text.charAt(at - 1)) >= 0 && (!aligned || at > (filled ? first + 1 : 1));
        boolean alternate = text.startsWith("#", at);
        at += alternate ? 1 : 0;
        if (text.startsWith("0", at)) {
            fill = aligned ? fill : "0";
            align = aligned || !number ? align : '=';
            at++;
        }
        int[] width = digits(text, at);
        at = width[1];
        String group = at < text.length() && (text.charAt(at) == ',' || text.charAt(at) == '_')
                ? text.substring(at, at + 1)
                : "";
        at += group.length();
        int precision = -1;
        if (text.startsWith(".", at)) {
            int[] digits = digits(text, at + 1);
            if (digits[1] == at + 1) {
                throw new TemplateFailure("has a format with a broken precision");
            }
            precision = digits[0];
            at = digits[1];
        }
        char type = at < text.length() ? text.charAt(at++) : 0;
        budget.text(Math.max(width[0], precision));
        if (at < text.length()) {
            throw new TemplateFailure("has a format with a broken specification");
        }
        if (value instanceof Boolean && type != 0 && type != 's') {
            number = true;
            align = aligned ? align : fill.equals("0") ? '=' : '>';
        }
        if (!number) {
            return text(value, type, sign, align, fill, width[0], precision, signed || alternate || !group.isEmpty());
        }
        String body = number(value, type, precision, alternate, group);
        boolean negative = value instanceof Double floating
                ? floating < 0 || floating == 0 && 1 / floating < 0
                : Numbers.big(value).signum() < 0;
        return aligned(negative ? "-" : sign, body, align, fill, width[0]);
    }

    private static String text(
            Object value, char type, String sign, char align, String fill, int width, int precision, boolean numeric) {
        boolean simple = Python.isText(value) || value instanceof Boolean;
        if (!simple || type != 0 && type != 's' || numeric || align == '=') {
            throw new TemplateFailure("has a format that " + Python.type(value) + " does not have");
        }
        String text = Python.string(value);
        return aligned(
                sign,
                precision >= 0 && precision < Text.length(text) ? Text.sub(text, 0, precision) : text,
                align,
                fill,
                width);
    }

    private static String number(Object value, char type, int precision, boolean alternate, String group) {
        if (value instanceof Double || "eEfFgG%".indexOf(type) >= 0 && type != 0) {
            double floating = Math.abs(Numbers.floating(value));
            String body;
            if (type == 0 && precision < 0) {
                body = Numbers.repr(floating);
            } else if (type == '%') {
                body = FloatFormat.of(floating * 100, 'f', precision < 0 ? 6 : precision, alternate) + "%";
            } else if (type == 0) {
                body = FloatFormat.of(floating, 'g', precision, alternate);
                body += body.matches("\\d+") ? ".0" : "";
            } else if ("eEfFgG".indexOf(type) >= 0) {
                body = FloatFormat.of(floating, type, precision < 0 ? 6 : precision, alternate);
            } else {
                throw new TemplateFailure("has a format that a float does not have");
            }
            return grouped(body, group);
        }
        if (precision >= 0 || "bcdoxXn".indexOf(type) < 0 && type != 0) {
            throw new TemplateFailure("has a format that an integer does not have");
        }
        BigInteger integer = Numbers.big(value);
        if (type == 'c') {
            if (integer.signum() < 0 || integer.bitLength() > 21 || !Character.isValidCodePoint(integer.intValue())) {
                throw new TemplateFailure("has a character that does not exist");
            }
            return Character.toString(integer.intValue());
        }
        return grouped(FloatFormat.integer(integer, type, alternate), group);
    }

    private static String grouped(String body, String group) {
        if (group.isEmpty()) {
            return body;
        }
        int end = 0;
        while (end < body.length() && Character.isDigit(body.charAt(end))) {
            end++;
        }
        StringBuilder grouped = new StringBuilder(body);
        for (int i = end - 3; i > 0; i -= 3) {
            grouped.insert(i, group);
        }
        return grouped.toString();
    }

    private static int[] digits(String text, int from) {
        int value = 0;
        int i = from;
        for (; i < text.length() && text.charAt(i) >= '0' && text.charAt(i) <= '9'; i++) {
            value = Math.min(value, 100_000_000) * 10 + text.charAt(i) - '0';
        }
        return new int[] {value, i};
    }

    private static String aligned(String sign, String body, char align, String fill, int width) {
        int missing = Math.max(0, width - Text.length(body) - sign.length());
        int before = align == '^' ? missing / 2 : align == '<' ? 0 : missing;
        if (align == '=') {
            return sign + fill.repeat(missing) + body;
        }
        return fill.repeat(before) + sign + body + fill.repeat(missing - before);
    }

    /** For {@code format_map}. */
    static Arguments of(Map<?, ?> map) {
        Map<String, Object> named = new java.util.LinkedHashMap<>();
        map.forEach((key, value) -> named.put(Python.string(key), value));
        return new Arguments(java.util.List.of(), named);
    }
}
