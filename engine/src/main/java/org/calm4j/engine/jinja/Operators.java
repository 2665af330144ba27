package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** {@code + - * / // % **} on all that Python lets take part in them. */
final class Operators {
    private Operators() {}

    static Object binary(String operator, Object left, Object right, Budget budget) {
        Object number = Numbers.calculate(operator, left, right);
        if (number != null) {
            return number;
        }
        if (left instanceof Undefined undefined) {
            throw undefined.failure();
        }
        // Python takes a value that is not a tuple as the only value of the format.
        if (operator.equals("%") && Python.isText(left)) {
            return Printf.format(left, right, budget);
        }
        if (right instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object made =
                switch (operator) {
                    case "+" -> sum(left, right, budget);
                    case "*" -> product(left, right, budget);
                    default -> null;
                };
        if (made == null) {
            throw new TemplateFailure("has " + Python.type(left) + " " + operator + " " + Python.type(right));
        }
        return made;
    }

    private static Object sum(Object left, Object right, Budget budget) {
        if (Python.isText(left) && Python.isText(right)) {
            if (left instanceof Markup || right instanceof Markup) {
                return new Markup(budget.made(Markup.safe(left) + Markup.safe(right)));
            }
            budget.text((long) ((String) left).length() + ((String) right).length());
            return (String) left + right;
        }
        List<?> one = Python.list(left);
        List<?> two = Python.list(right);
        boolean alike = one != null
                && two != null
                && left instanceof Tuple == right instanceof Tuple
                && !(left instanceof Range)
                && !(right instanceof Range);
        if (!alike) {
            return null;
        }
        budget.items((long) one.size() + two.size());
        List<Object> list = new ArrayList<>(one);
        list.addAll(two);
        return left instanceof Tuple ? new Tuple(list) : list;
    }

    private static Object product(Object left, Object right, Budget budget) {
        Object of = Numbers.isInteger(left) ? right : left;
        Object times = Numbers.isInteger(left) ? left : right;
        if (!Numbers.isInteger(times) || of instanceof Range) {
            return null;
        }
        String text = Python.text(of);
        if (text != null) {
            long count = text.isEmpty() ? 0 : Math.max(0, Numbers.small(times, "a factor"));
            budget.text(count * text.length());
            String repeated = text.repeat((int) count);
            return of instanceof Markup ? new Markup(repeated) : repeated;
        }
        List<?> list = Python.list(of);
        return list == null
                ? null
                : of instanceof Tuple
                        ? new Tuple(Sequences.repeated(list, times, budget))
                        : Sequences.repeated(list, times, budget);
    }

    static Object negative(Object value, boolean minus) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (!Numbers.isNumber(value)) {
            throw new TemplateFailure("has a sign before " + Python.type(value));
        }
        if (value instanceof Double number) {
            return minus ? (Object) (-number) : number;
        }
        return Numbers.of(minus ? Numbers.big(value).negate() : Numbers.big(value));
    }

    /** Whether {@code left operator right} holds. */
    static boolean compare(String operator, Object left, Object right) {
        return switch (operator) {
            case "==" -> Python.equal(left, right);
            case "!=" -> !Python.equal(left, right);
            case "in" -> Python.contains(right, left);
            case "not in" -> !Python.contains(right, left);
            default -> Python.ordered(operator, left, right);
        };
    }

    /** Allowed methods of a dict; null for others. */
    static Callable method(Map<?, ?> map, String name, Budget budget) {
        return switch (name) {
            case "items", "keys", "values" ->
                new Callable(name, given -> {
                    given.places(name, 0, 0);
                    budget.step(map.size());
                    return new View(name, map);
                });
            case "get" ->
                new Callable(name, given -> {
                    Object[] values = given.places(name, 1, 2);
                    Object key = Dicts.key(map, values[0]);
                    return key != Dicts.NONE ? map.get(key) : Arguments.or(values[1], null);
                });
            case "copy" ->
                new Callable(name, given -> {
                    given.places(name, 0, 0);
                    budget.items(map.size());
                    return new java.util.LinkedHashMap<>(map);
                });
            default -> null;
        };
    }
}
