package org.calm4j.engine.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What may follow {@code |}: filters of one value here, filters of lists in {@link ListFilters}. */
final class Filters {
    static final Set<String> NAMES = Set.of(
            "abs",
            "attr",
            "batch",
            "capitalize",
            "center",
            "count",
            "d",
            "default",
            "dictsort",
            "e",
            "escape",
            "filesizeformat",
            "first",
            "float",
            "forceescape",
            "format",
            "groupby",
            "indent",
            "int",
            "items",
            "join",
            "last",
            "length",
            "list",
            "lower",
            "map",
            "max",
            "min",
            "pprint",
            "random",
            "reject",
            "rejectattr",
            "replace",
            "reverse",
            "round",
            "safe",
            "select",
            "selectattr",
            "slice",
            "sort",
            "string",
            "striptags",
            "sum",
            "title",
            "tojson",
            "trim",
            "truncate",
            "unique",
            "upper",
            "urlencode",
            "urlize",
            "wordcount",
            "wordwrap",
            "xmlattr");
    private static final Set<String> LEFT_OUT = Set.of("random", "urlize", "pprint");

    private Filters() {}

    static Object apply(Interpreter interpreter, String name, Object value, Arguments given) {
        Budget budget = interpreter.budget();
        budget.step();
        if (!NAMES.contains(name) || LEFT_OUT.contains(name)) {
            throw new TemplateFailure("uses the filter " + Text.quote(name) + ", which "
                    + (LEFT_OUT.contains(name) ? "is not supported" : "does not exist here"));
        }
        return switch (name) {
            case "default", "d" -> {
                Object[] values = given.bind(name, 0, "default_value", "boolean");
                boolean missing = value instanceof Undefined || Arguments.flag(values[1]) && !Python.truth(value);
                yield missing ? Arguments.or(values[0], "") : value;
            }
            case "tojson" -> JsonText.of(value, given, budget);
            case "attr" -> attr(interpreter, value, given);
            case "abs", "int", "float", "round", "filesizeformat" -> number(name, value, given, budget);
            case "string" -> {
                given.places(name, 0, 0);
                yield value instanceof Markup ? value : budget.made(Python.string(value));
            }
            case "safe" -> {
                given.places(name, 0, 0);
                yield new Markup(Python.string(value));
            }
            case "escape", "e" -> {
                given.places(name, 0, 0);
                yield new Markup(budget.made(Markup.safe(value)));
            }
            case "forceescape" -> {
                given.places(name, 0, 0);
                yield new Markup(budget.made(Markup.escape(Python.string(value))));
            }
            case "upper",
                    "lower",
                    "capitalize",
                    "trim",
                    "center",
                    "title",
                    "format",
                    "replace",
                    "truncate",
                    "indent",
                    "wordcount",
                    "wordwrap",
                    "striptags",
                    "urlencode",
                    "xmlattr" -> TextFilters.apply(interpreter, name, value, given);
            case "length", "count" -> {
                given.places(name, 0, 0);
                yield (long) Python.length(value);
            }
            default -> ListFilters.apply(interpreter, name, value, given);
        };
    }

    private static Object attr(Interpreter interpreter, Object value, Arguments given) {
        String name = Python.text(given.bind("attr", 1, "name")[0]);
        if (name == null) {
            throw new TemplateFailure("asks for an attribute without a name");
        }
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object method = interpreter.method(value, name);
        Object found = method != null ? method : Interpreter.own(value, name);
        return found == Arguments.ABSENT ? interpreter.missing(value, name) : found;
    }

    private static Object number(String name, Object value, Arguments given, Budget budget) {
        return switch (name) {
            case "abs" -> {
                given.places(name, 0, 0);
                if (!Numbers.isNumber(value)) {
                    throw new TemplateFailure("takes abs of " + Python.type(value));
                }
                yield value instanceof Double number
                        ? (Object) Math.abs(number)
                        : Numbers.of(Numbers.big(value).abs());
            }
            case "int" -> integer(value, given.bind(name, 0, "default", "base"));
            case "float" -> {
                Object parsed = floating(value);
                yield parsed != null ? parsed : Arguments.or(given.bind(name, 0, "default")[0], 0.0);
            }
            case "round" -> Rounding.round(value, given.bind(name, 0, "precision", "method"), budget);
            default -> Rounding.fileSize(value, Arguments.flag(given.bind(name, 0, "binary")[0]));
        };
    }

    private static Object integer(Object value, Object[] given) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object otherwise = Arguments.or(given[0], 0L);
        String text = Python.text(value);
        if (text != null) {
            Object parsed = parse(text, Numbers.small(Arguments.or(given[1], 10L), "a base"));
            if (parsed != null) {
                return parsed;
            }
        } else if (Numbers.isInteger(value)) {
            return Numbers.of(Numbers.big(value));
        }
        Object number = floating(value);
        if (number == null) {
            return otherwise;
        }
        double floating = (Double) number;
        if (Double.isInfinite(floating) && text == null) {
            // As Python does, which expects this error only of a text.
            throw new TemplateFailure("makes an integer of " + Numbers.repr(floating));
        }
        return Double.isFinite(floating) ? Numbers.truncated(floating) : otherwise;
    }

    /** Null where it is not an integer. */
    private static Object parse(String text, int base) {
        String digits = Text.strip(text, null, true, true);
        String sign = digits.startsWith("-") || digits.startsWith("+") ? digits.substring(0, 1) : "";
        digits = digits.substring(sign.length()).toLowerCase(Locale.ROOT);
        int radix = base;
        for (String prefix : List.of("0x16", "0o8", "0b2")) {
            int of = Integer.parseInt(prefix.substring(2));
            if (digits.startsWith(prefix.substring(0, 2)) && (base == 0 || base == of)) {
                digits = digits.substring(2).startsWith("_") ? digits.substring(3) : digits.substring(2);
                radix = of;
            }
        }
        radix = radix == 0 ? 10 : radix;
        boolean possible = radix >= 2
                && radix <= 36
                && digits.matches("[0-9a-z]++(?:_[0-9a-z]++)*+")
                && digits.length() <= Numbers.MOST_DIGITS;
        if (!possible) {
            return null;
        }
        try {
            return Numbers.of(new java.math.BigInteger((sign.equals("-") ? "-" : "") + digits.replace("_", ""), radix));
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** Null where it is not a number. */
    private static Object floating(Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (Numbers.isNumber(value)) {
            return Numbers.floating(value);
        }
        String text = Python.text(value);
        if (text == null) {
            return null;
        }
        String number = Text.strip(text, null, true, true).toLowerCase(Locale.ROOT);
        if (number.matches("[+-]?(?:inf|infinity|nan)")) {
            return number.endsWith("nan")
                    ? Double.NaN
                    : number.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        boolean possible = number.length() < 10_000
                && number.matches(
                        "[+-]?(?:\\d++(?:_\\d++)*+\\.?+(?:\\d++(?:_\\d++)*+)?|\\.\\d++(?:_\\d++)*+)(?:e[+-]?\\d++(?:_\\d++)*+)?");
        return possible ? (Object) Double.parseDouble(number.replace("_", "")) : null;
    }

    /** The arguments as {@code map} passes them on to another filter. */
    static Object named(Interpreter interpreter, Object item, Arguments given) {
        String name = Python.text(given.positional().getFirst());
        if (name == null) {
            throw new TemplateFailure("maps by a filter that has no name");
        }
        return apply(interpreter, name, item, given.after(1));
    }

    static Map<?, ?> dict(String filter, Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateFailure("gives " + filter + " " + Python.type(value) + " instead of a dict");
        }
        return map;
    }

    static Iterator<Object> none() {
        return List.<Object>of().iterator();
    }
}
