package org.calm4j.engine.jinja;

import java.math.BigInteger;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** What Python's built-in functions say of a value. None is null. */
final class Python {
    private Python() {}

    /** The name of the type, for messages. */
    static String type(Object value) {
        return switch (value) {
            case null -> "None";
            case Undefined _ -> "undefined";
            case String _ -> "text";
            case Markup _ -> "safe text";
            case Boolean _ -> "a truth value";
            case Long _ -> "an integer";
            case BigInteger _ -> "an integer";
            case Double _ -> "a float";
            case Range _ -> "a range";
            case List<?> _ -> "a list";
            case Tuple _ -> "a tuple";
            case Map<?, ?> _ -> "a dict";
            case View _ -> "a view of a dict";
            case Lazy _ -> "an iterator";
            case Callable _ -> "a function";
            case Namespace _ -> "a namespace";
            default -> "a loop";
        };
    }

    static boolean truth(Object value) {
        return switch (value) {
            case null -> false;
            case Undefined _ -> false;
            case Boolean bool -> bool;
            case String text -> !text.isEmpty();
            case Markup markup -> !markup.text().isEmpty();
            case Long number -> number != 0;
            case Double number -> number != 0;
            case List<?> list -> !list.isEmpty();
            case Tuple tuple -> !tuple.items().isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            case View view -> !view.of().isEmpty();
            case Loop loop -> loop.length() > 0;
            default -> true;
        };
    }

    /** As {@code str} writes it. */
    static String string(Object value) {
        return switch (value) {
            case String text -> text;
            case Markup markup -> markup.text();
            case Long number -> number.toString();
            case Undefined _ -> "";
            case null, default -> {
                String text = Repr.of(value);
                Budget.walk(text.length());
                yield text;
            }
        };
    }

    /** Text, whether safe or not; null where it is not text. */
    static String text(Object value) {
        return value instanceof String text ? text : value instanceof Markup markup ? markup.text() : null;
    }

    static boolean isText(Object value) {
        return value instanceof String || value instanceof Markup;
    }

    /** What has places and a length as a Java list; null for what is neither list nor tuple. */
    static List<?> list(Object value) {
        return value instanceof List<?> list ? list : value instanceof Tuple tuple ? tuple.items() : null;
    }

    static int length(Object value) {
        return switch (value) {
            case String text -> {
                Budget.walk(text.length());
                yield Text.length(text);
            }
            case Markup markup -> length(markup.text());
            case List<?> list -> list.size();
            case Tuple tuple -> tuple.items().size();
            case Map<?, ?> map -> map.size();
            case View view -> view.of().size();
            case Undefined _ -> 0;
            case Loop loop -> loop.length();
            case null, default -> throw new TemplateFailure("asks for the length of " + type(value));
        };
    }

    /** Null for what cannot be iterated. */
    @SuppressWarnings("unchecked")
    static Iterator<Object> iterator(Object value) {
        Collection<?> items =
                switch (value) {
                    case String text -> characters(text);
                    case Markup markup -> characters(markup.text());
                    case List<?> list -> list;
                    case Tuple tuple -> tuple.items();
                    case Map<?, ?> map -> map.keySet();
                    case View view -> {
                        Budget.CURRENT.get().items(view.of().size());
                        yield view.list();
                    }
                    case Undefined _ -> List.of();
                    case null, default -> null;
                };
        return items != null ? (Iterator<Object>) items.iterator() : value instanceof Lazy lazy ? lazy.items() : null;
    }

    private static List<Object> characters(String text) {
        Budget.CURRENT.get().items(text.length());
        return Text.characters(text);
    }

    static Iterator<Object> iterate(Object value) {
        Iterator<Object> items = iterator(value);
        if (items == null) {
            throw new TemplateFailure("goes through " + type(value) + " as if it were a list");
        }
        return items;
    }

    static boolean equal(Object left, Object right) {
        return equal(left, right, 0);
    }

    private static boolean equal(Object left, Object right, int depth) {
        Repr.checkDepth(depth);
        if (depth > 0) {
            Budget.item();
        }
        if (left == right) {
            return !(left instanceof Double number && number.isNaN());
        }
        if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
            Integer order = Numbers.compare(left, right);
            return order != null && order == 0;
        }
        if (isText(left) && isText(right)) {
            Budget.walk(text(left).length());
            return text(left).equals(text(right));
        }
        return switch (left) {
            case Undefined _ -> right instanceof Undefined;
            case List<?> list ->
                right instanceof List<?> other
                        && left instanceof Range == right instanceof Range
                        && equalItems(list, other, depth);
            case Tuple tuple -> right instanceof Tuple other && equalItems(tuple.items(), other.items(), depth);
            case Map<?, ?> map -> right instanceof Map<?, ?> other && equalMaps(map, other, depth);
            case View view ->
                right instanceof View other
                        && !view.kind().equals("values")
                        && view.kind().equals(other.kind())
                        && (view.kind().equals("keys")
                                ? equalKeys(view.of(), other.of())
                                : equalMaps(view.of(), other.of(), depth));
            case null, default -> false;
        };
    }

    private static boolean equalKeys(Map<?, ?> left, Map<?, ?> right) {
        Budget.CURRENT.get().step(left.size());
        return left.keySet().equals(right.keySet());
    }

    private static boolean equalItems(List<?> left, List<?> right, int depth) {
        if (left.size() != right.size()) {
            return false;
        }
        for (int i = 0; i < left.size(); i++) {
            if (!equal(left.get(i), right.get(i), depth + 1)) {
                return false;
            }
        }
        return true;
    }

    private static boolean equalMaps(Map<?, ?> left, Map<?, ?> right, int depth) {
        if (left.size() != right.size()) {
            return false;
        }
        for (Map.Entry<?, ?> entry : left.entrySet()) {
            Object key = Dicts.key(right, entry.getKey());
            if (key == Dicts.NONE || !equal(entry.getValue(), right.get(key), depth + 1)) {
                return false;
            }
        }
        return true;
    }

    /** Whether {@code left operator right} holds, for the four orders. */
    static boolean ordered(String operator, Object left, Object right) {
        if (left instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (right instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Integer order = order(left, right, 0);
        if (order == null) {
            return false;
        }
        return switch (operator) {
            case "<" -> order < 0;
            case "<=" -> order <= 0;
            case ">" -> order > 0;
            default -> order >= 0;
        };
    }

    /** Null where NaN takes part. */
    private static Integer order(Object left, Object right, int depth) {
        Repr.checkDepth(depth);
        Budget.item();
        if (left instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (right instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
            return Numbers.compare(left, right);
        }
        if (isText(left) && isText(right)) {
            Budget.walk(text(left).length());
            return Text.compare(text(left), text(right));
        }
        List<?> one = list(left);
        List<?> two = list(right);
        boolean alike = one != null
                && two != null
                && left instanceof Tuple == right instanceof Tuple
                && !(left instanceof Range)
                && !(right instanceof Range);
        if (!alike) {
            throw new TemplateFailure("compares " + type(left) + " with " + type(right));
        }
        for (int i = 0; i < Math.min(one.size(), two.size()); i++) {
            if (!equal(one.get(i), two.get(i), depth + 1)) {
                return order(one.get(i), two.get(i), depth + 1);
            }
        }
        return Integer.compare(one.size(), two.size());
    }

    /** Python's {@code in}. */
    static boolean contains(Object container, Object value) {
        return switch (container) {
            case String text -> within(text, value);
            case Markup markup -> within(markup.text(), value);
            case Map<?, ?> map -> Dicts.key(map, value) != Dicts.NONE;
            case View view when view.kind().equals("keys") -> Dicts.key(view.of(), value) != Dicts.NONE;
            case null, default -> {
                Iterator<Object> items = iterator(container);
                if (items == null) {
                    throw new TemplateFailure("looks for a value in " + type(container));
                }
                boolean found = false;
                while (!found && items.hasNext()) {
                    Budget.item();
                    found = equal(items.next(), value);
                }
                yield found;
            }
        };
    }

    private static boolean within(String text, Object value) {
        if (!isText(value)) {
            throw new TemplateFailure("looks for " + type(value) + " in a text");
        }
        Budget.search(text.length(), text(value).length());
        return text.contains(text(value));
    }
}
