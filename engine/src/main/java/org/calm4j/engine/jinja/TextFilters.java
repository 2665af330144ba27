package org.calm4j.engine.jinja;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Filters that change text. */
final class TextFilters {
    private static final Pattern WORD_BEGINS = Pattern.compile("[-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);

    private TextFilters() {}

    static Object apply(Interpreter interpreter, String name, Object value, Arguments given) {
        Budget budget = interpreter.budget();
        Object text = value instanceof Markup ? value : Python.string(value);
        budget.text(Python.string(text).length());
        return switch (name) {
            case "upper", "lower", "capitalize" -> {
                given.places(name, 0, 0);
                yield method(interpreter, text, name, Arguments.NONE);
            }
            case "trim" ->
                method(interpreter, text, "strip", list(Arguments.or(given.bind(name, 0, "chars")[0], null)));
            case "center" ->
                method(interpreter, text, "center", list(Arguments.or(given.bind(name, 0, "width")[0], 80L)));
            case "title" -> {
                given.places(name, 0, 0);
                yield title(Python.string(text));
            }
            case "format" -> format(text, given, budget);
            case "replace" -> {
                Object[] values = given.bind(name, 2, "old", "new", "count");
                Object count = Arguments.or(values[2], null);
                yield TextMethods.replace(
                        Python.string(text),
                        Python.string(values[0]),
                        Python.string(values[1]),
                        count == null ? -1 : Numbers.small(count, "count"),
                        budget);
            }
            case "truncate" -> truncate(value, given, budget);
            case "indent" -> indent(value, given, budget);
            case "wordcount" -> {
                given.places(name, 0, 0);
                yield WORD.matcher(Python.string(text)).results().count();
            }
            case "wordwrap" -> {
                if (!Python.isText(value)) {
                    throw new TemplateFailure("wraps the lines of " + Python.type(value));
                }
                yield Wrapping.wrap(Python.text(value), given, budget);
            }
            case "striptags" -> {
                given.places(name, 0, 0);
                yield stripTags(Python.string(text));
            }
            case "urlencode" -> {
                given.places(name, 0, 0);
                yield urlEncode(value, budget);
            }
            default -> attributes(Filters.dict(name, value), given.bind(name, 0, "autospace")[0]);
        };
    }

    private static Arguments list(Object value) {
        List<Object> list = new ArrayList<>();
        list.add(value);
        return new Arguments(list, Map.of());
    }

    private static Object method(Interpreter interpreter, Object text, String name, Arguments given) {
        return TextMethods.of(text, name, interpreter).call(given);
    }

    private static String title(String text) {
        StringBuilder titled = new StringBuilder();
        Matcher begins = WORD_BEGINS.matcher(text);
        int at = 0;
        while (at < text.length()) {
            boolean found = begins.find(at);
            int end = found ? begins.start() : text.length();
            if (end > at) {
                int first = at + Character.charCount(text.codePointAt(at));
                titled.append(text.substring(at, first).toUpperCase(Locale.ROOT))
                        .append(text.substring(first, end).toLowerCase(Locale.ROOT));
            }
            titled.append(found ? begins.group() : "");
            at = found ? begins.end() : end;
        }
        return titled.toString();
    }

    private static Object format(Object text, Arguments given, Budget budget) {
        if (!given.positional().isEmpty() && !given.named().isEmpty()) {
            throw new TemplateFailure("gives format values with and without names");
        }
        return Printf.format(
                text, given.named().isEmpty() ? new Tuple(given.positional()) : Map.copyOf(named(given)), budget);
    }

    private static Map<String, Object> named(Arguments given) {
        if (given.named().containsValue(null)) {
            throw new TemplateFailure("gives format none");
        }
        return given.named();
    }

    private static Object truncate(Object value, Arguments given, Budget budget) {
        Object[] values = given.bind("truncate", 0, "length", "killwords", "end", "leeway");
        int length = Numbers.small(Arguments.or(values[0], 255L), "length");
        Object end = Arguments.or(values[2], "...");
        int ending = Python.length(end);
        Object given5 = Arguments.or(values[3], null);
        int leeway = given5 == null ? 5 : Numbers.small(given5, "leeway");
        if (length < ending || leeway < 0) {
            throw new TemplateFailure("cuts a text to less than the mark at its end");
        }
        if (Python.length(value) <= (long) length + leeway) {
            return value;
        }
        Object kept = Sequences.slice(value, null, (long) length - ending, null, budget);
        if (!Arguments.flag(values[1])) {
            String text = Python.text(kept);
            if (text == null) {
                throw new TemplateFailure("cuts words off " + Python.type(value));
            }
            int blank = text.lastIndexOf(' ');
            String words = blank < 0 ? text : text.substring(0, blank);
            kept = value instanceof Markup ? new Markup(words) : words;
        }
        return Operators.binary("+", kept, end, budget);
    }

    private static Object indent(Object value, Arguments given, Budget budget) {
        Object[] values = given.bind("indent", 0, "width", "first", "blank");
        Object width = Arguments.or(values[0], 4L);
        String by = Python.text(width);
        if (by == null) {
            int blanks = Math.max(0, Numbers.small(width, "a width"));
            budget.text(blanks);
            by = " ".repeat(blanks);
        }
        if (!Python.isText(value)) {
            // As Python's addition of a line break says it.
            Operators.binary("+", value, "\n", budget);
            throw new TemplateFailure("indents " + Python.type(value));
        }
        List<Object> lines = Text.lines(Python.text(value) + "\n", false);
        budget.text((long) by.length() * lines.size());
        boolean blank = Arguments.flag(values[2]);
        StringBuilder text = new StringBuilder(Arguments.flag(values[1]) ? by : "");
        for (int i = 0; i < lines.size(); i++) {
            String line = (String) lines.get(i);
            text.append(i > 0 ? "\n" : "")
                    .append(i > 0 && (blank || !line.isEmpty()) ? by : "")
                    .append(line);
        }
        String indented = budget.made(text.toString());
        return value instanceof Markup ? new Markup(indented) : indented;
    }

    private static String stripTags(String html) {
        String text = html;
        StringBuilder kept = new StringBuilder();
        int at = 0;
        for (int start = text.indexOf("<!--"); start >= 0; start = text.indexOf("<!--", at)) {
            int end = text.indexOf("-->", start);
            if (end < 0) {
                break;
            }
            kept.append(text, at, start);
            at = end + 3;
        }
        text = kept.append(text.substring(at)).toString();
        kept.setLength(0);
        at = 0;
        for (int start = text.indexOf('<'); start >= 0; start = text.indexOf('<', at)) {
            int end = text.indexOf('>', start);
            if (end < 0) {
                break;
            }
            kept.append(text, at, start);
            at = end + 1;
        }
        text = kept.append(text.substring(at)).toString();
        String joined = String.join(
                " ",
                Pattern.compile("[\\s\\x1C-\\x1F]+", Pattern.UNICODE_CHARACTER_CLASS)
                        .splitAsStream(text)
                        .filter(word -> !word.isEmpty())
                        .toList());
        return unescape(joined);
    }

    private static String unescape(String text) {
        return Pattern.compile("&(?:#(\\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(\\w{1,8}));")
                .matcher(text)
                .replaceAll(found -> {
                    String character = found.group(1) != null
                            ? point(Integer.parseInt(found.group(1)))
                            : found.group(2) != null
                                    ? point(Integer.parseInt(found.group(2), 16))
                                    : switch (found.group(3)) {
                                        case "amp" -> "&";
                                        case "lt" -> "<";
                                        case "gt" -> ">";
                                        case "quot" -> "\"";
                                        case "apos" -> "'";
                                        case "nbsp" -> "\u00A0";
                                        case "raquo" -> "»";
                                        case "laquo" -> "«";
                                        case "hellip" -> "…";
                                        case "mdash" -> "—";
                                        case "ndash" -> "–";
                                        default -> found.group();
                                    };
                    return Matcher.quoteReplacement(character);
                });
    }

    private static String point(int point) {
        return Character.isValidCodePoint(point) && point > 0 ? Character.toString(point) : "\uFFFD";
    }

    private static String urlEncode(Object value, Budget budget) {
        Iterator<Object> items = Python.isText(value)
                ? null
                : value instanceof Map<?, ?> map ? Python.iterate(new View("items", map)) : Python.iterator(value);
        if (items == null) {
            return quote(Python.string(value), "/");
        }
        StringBuilder query = new StringBuilder();
        while (items.hasNext()) {
            List<Object> pair = Sequences.list(items.next(), budget);
            if (pair.size() != 2) {
                throw new TemplateFailure("makes a query of items that are not pairs");
            }
            query.append(query.isEmpty() ? "" : "&")
                    .append(quote(Python.string(pair.get(0)), "").replace("%20", "+"))
                    .append('=')
                    .append(quote(Python.string(pair.get(1)), "").replace("%20", "+"));
            budget.text(query.length());
        }
        return query.toString();
    }

    private static String quote(String text, String safe) {
        StringBuilder quoted = new StringBuilder();
        for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (each & 0xFF);
            if (c < 128 && (Character.isLetterOrDigit(c) || ("_.-~" + safe).indexOf(c) >= 0)) {
                quoted.append(c);
            } else {
                quoted.append(String.format("%%%02X", (int) c));
            }
        }
        return quoted.toString();
    }

    private static String attributes(Map<?, ?> map, Object space) {
        StringBuilder text = new StringBuilder();
        map.forEach((key, value) -> {
            if (value == null || value instanceof Undefined) {
                return;
            }
            String name = Python.text(key);
            if (name == null || name.chars().anyMatch(c -> " \t\n\r\f\u000B/>=".indexOf(c) >= 0)) {
                throw new TemplateFailure("has a name of an attribute that HTML does not have");
            }
            text.append(text.isEmpty() ? "" : " ")
                    .append(Markup.safe(key))
                    .append("=\"")
                    .append(Markup.safe(value))
                    .append('"');
        });
        boolean spaced = space == Arguments.ABSENT || Python.truth(space);
        return (spaced && !text.isEmpty() ? " " : "") + text;
    }
}
