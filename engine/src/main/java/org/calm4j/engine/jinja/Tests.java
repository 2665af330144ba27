package org.calm4j.engine.jinja;

import java.util.Map;
import java.util.Set;

/** What may follow {@code is}. */
final class Tests {
    static final Set<String> NAMES = Set.of(
            "odd",
            "even",
            "divisibleby",
            "defined",
            "undefined",
            "filter",
            "test",
            "none",
            "boolean",
            "false",
            "true",
            "integer",
            "float",
            "lower",
            "upper",
            "string",
            "mapping",
            "number",
            "sequence",
            "iterable",
            "callable",
            "sameas",
            "escaped",
            "in",
            "==",
            "eq",
            "equalto",
            "!=",
            "ne",
            ">",
            "gt",
            "greaterthan",
            "ge",
            ">=",
            "<",
            "lt",
            "lessthan",
            "<=",
            "le");

    private Tests() {}

    static boolean test(String name, Object value, Arguments given, Budget budget) {
        return switch (name) {
            case "divisibleby" -> equalsNumber(Operators.binary("%", value, given.bind(name, 1, "num")[0], budget), 0);
            case "sameas" -> same(value, given.bind(name, 1, "other")[0]);
            case "in" -> Python.contains(given.bind(name, 1, "seq")[0], value);
            case "==", "eq", "equalto" -> Python.equal(value, given.places(name, 1, 1)[0]);
            case "!=", "ne" -> !Python.equal(value, given.places(name, 1, 1)[0]);
            case ">", "gt", "greaterthan" -> Python.ordered(">", value, given.places(name, 1, 1)[0]);
            case ">=", "ge" -> Python.ordered(">=", value, given.places(name, 1, 1)[0]);
            case "<", "lt", "lessthan" -> Python.ordered("<", value, given.places(name, 1, 1)[0]);
            case "<=", "le" -> Python.ordered("<=", value, given.places(name, 1, 1)[0]);
            default -> {
                if (!NAMES.contains(name)) {
                    throw new TemplateFailure("uses the test " + Text.quote(name) + ", which does not exist here");
                }
                given.places(name, 0, 0);
                yield alone(name, value, budget);
            }
        };
    }

    private static boolean alone(String name, Object value, Budget budget) {
        return switch (name) {
            case "odd" -> equalsNumber(Operators.binary("%", value, 2L, budget), 1);
            case "even" -> equalsNumber(Operators.binary("%", value, 2L, budget), 0);
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "filter" -> Python.isText(value) ? Filters.NAMES.contains(Python.text(value)) : known(value);
            case "test" -> Python.isText(value) ? NAMES.contains(Python.text(value)) : known(value);
            case "none" -> value == null;
            case "boolean" -> value instanceof Boolean;
            case "false" -> Boolean.FALSE.equals(value);
            case "true" -> Boolean.TRUE.equals(value);
            case "integer" -> Numbers.isInteger(value) && !(value instanceof Boolean);
            case "float" -> value instanceof Double;
            case "lower" -> TextMethods.isLower(budget.made(Python.string(value)));
            case "upper" -> TextMethods.isUpper(budget.made(Python.string(value)));
            case "string" -> Python.isText(value);
            case "mapping" -> value instanceof Map;
            case "number" -> Numbers.isNumber(value);
            case "sequence" ->
                Python.isText(value)
                        || Python.list(value) != null
                        || value instanceof Map
                        || value instanceof Undefined;
            case "iterable" -> Python.iterator(value) != null || value instanceof Loop;
            // An undefined value has the method, which then fails.
            case "callable" -> value instanceof Callable || value instanceof Undefined || value instanceof Loop;
            default -> value instanceof Markup;
        };
    }

    private static boolean known(Object value) {
        Dicts.checkKey(value);
        return false;
    }

    private static boolean equalsNumber(Object value, long number) {
        return Python.equal(value, number);
    }

    /** One object in Python, where small numbers, truth values and equal names are one. */
    private static boolean same(Object value, Object other) {
        return value == other
                || value instanceof Boolean && value.equals(other)
                || value instanceof Long && value.equals(other)
                || value instanceof String && value.equals(other);
    }

    /** What {@code select} and its like choose by: a test named by the first argument, or the truth of the value. */
    static boolean chosen(Object value, Arguments given, Budget budget) {
        if (given.positional().isEmpty()) {
            return Python.truth(value);
        }
        String name = Python.text(given.positional().getFirst());
        if (name == null) {
            throw new TemplateFailure("chooses by a test that has no name");
        }
        return test(name, value, given.after(1), budget);
    }
}
