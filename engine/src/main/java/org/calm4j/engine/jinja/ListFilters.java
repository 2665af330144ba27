package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Filters of lists, dicts and what else can be gone through. */
final class ListFilters {
    private static final List<String> GROUP = List.of("grouper", "list");

    private final Interpreter interpreter;
    private final Budget budget;

    private ListFilters(Interpreter interpreter) {
        this.interpreter = interpreter;
        budget = interpreter.budget();
    }

    static Object apply(Interpreter interpreter, String name, Object value, Arguments given) {
        ListFilters filters = new ListFilters(interpreter);
        return switch (name) {
            case "first", "last" -> {
                given.places(name, 0, 0);
                yield name.equals("first") ? first(value) : last(value);
            }
            case "list" -> {
                given.places(name, 0, 0);
                yield Sequences.list(value, interpreter.budget());
            }
            case "reverse" -> {
                given.places(name, 0, 0);
                yield filters.reverse(value);
            }
            case "join" -> filters.join(value, given.bind(name, 0, "d", "attribute"));
            case "map" -> filters.map(value, given);
            case "select", "reject" -> filters.select(value, given, false, name.equals("select"));
            case "selectattr", "rejectattr" -> filters.select(value, given, true, name.equals("selectattr"));
            case "items" -> {
                given.places(name, 0, 0);
                yield value instanceof Undefined
                        ? new Lazy("generator", Filters.none())
                        : new Lazy("generator", Python.iterate(new View(name, Filters.dict(name, value))));
            }
            case "dictsort" -> filters.dictsort(value, given);
            case "sort" -> {
                Object[] values = given.bind(name, 0, "reverse", "case_sensitive", "attribute");
                yield filters.sorted(
                        Sequences.list(value, interpreter.budget()),
                        filters.keys(values[2], !Arguments.flag(values[1])),
                        Arguments.flag(values[0]));
            }
            case "unique" -> filters.unique(value, given.bind(name, 0, "case_sensitive", "attribute"));
            case "min", "max" ->
                filters.extreme(name.equals("max"), value, given.bind(name, 0, "case_sensitive", "attribute"));
            case "sum" -> filters.sum(value, given.bind(name, 0, "attribute", "start"));
            case "batch" -> filters.batch(value, given.bind(name, 1, "linecount", "fill_with"));
            case "slice" -> filters.slices(value, given.bind(name, 1, "slices", "fill_with"));
            default -> filters.groupBy(value, given.bind(name, 1, "attribute", "default", "case_sensitive"));
        };
    }

    private static Object first(Object value) {
        Iterator<Object> items = Python.iterate(value);
        return items.hasNext() ? items.next() : new Undefined("the first item of nothing is undefined");
    }

    private static Object last(Object value) {
        Undefined none = new Undefined("the last item of nothing is undefined");
        if (value instanceof Undefined) {
            return none;
        }
        if (value instanceof Lazy || Python.iterator(value) == null) {
            throw new TemplateFailure("asks for the last item of " + Python.type(value));
        }
        if (value instanceof Map || value instanceof View) {
            List<Object> list = new View(
                            value instanceof View view ? view.kind() : "keys",
                            value instanceof View view ? view.of() : (Map<?, ?>) value)
                    .list();
            return list.isEmpty() ? none : list.getLast();
        }
        Object found = Sequences.at(value, -1L);
        return found == Dicts.NONE ? none : found instanceof Markup markup ? markup.text() : found;
    }

    private Object reverse(Object value) {
        if (Python.isText(value)) {
            return Sequences.slice(value, null, null, -1L, budget);
        }
        if (Python.iterator(value) == null) {
            throw new TemplateFailure("turns around " + Python.type(value));
        }
        List<Object> reversed = Sequences.reversed(value, budget);
        return value instanceof Lazy ? reversed : new Lazy("reversed", reversed.iterator());
    }

    private String join(Object value, Object[] given) {
        Object separator = Arguments.or(given[0], "");
        Object attribute = Arguments.or(given[1], null);
        Iterator<Object> items = Python.iterate(value);
        UnaryOperator<Object> getter = attribute == null ? item -> item : key(attribute, null, false);
        String by = Python.string(separator);
        StringBuilder joined = new StringBuilder();
        for (boolean first = true; items.hasNext(); first = false) {
            String item = Python.string(getter.apply(items.next()));
            budget.text((long) joined.length() / 64 + item.length() + by.length());
            joined.append(first ? "" : by).append(item);
            if (joined.length() > 10_000_000) {
                budget.text(joined.length());
            }
        }
        return joined.toString();
    }

    private Object map(Object value, Arguments given) {
        if (!Python.truth(value)) {
            return new Lazy("generator", Filters.none());
        }
        UnaryOperator<Object> change;
        if (given.positional().isEmpty() && given.named().containsKey("attribute")) {
            for (String name : given.named().keySet()) {
                if (!name.equals("attribute") && !name.equals("default")) {
                    return failing("map has no argument named " + Text.quote(name));
                }
            }
            change = key(given.named().get("attribute"), given.named().get("default"), false);
        } else if (given.positional().isEmpty()) {
            return failing("map lacks a filter or an attribute");
        } else {
            change = item -> Filters.named(interpreter, item, given);
        }
        return lazily(value, items -> Lazy.mapped(items, item -> {
                    budget.step();
                    return change.apply(item);
                })
                .items());
    }

    /** Python notices only when it iterates. */
    private static Lazy failing(String why) {
        return new Lazy("generator", new Iterator<>() {
            @Override
            public boolean hasNext() {
                throw new TemplateFailure(why);
            }

            @Override
            public Object next() {
                throw new TemplateFailure(why);
            }
        });
    }

    /** So that a value that cannot be iterated fails only then. */
    private static Lazy lazily(Object value, UnaryOperator<Iterator<Object>> change) {
        return new Lazy("generator", new Iterator<>() {
            private Iterator<Object> items;

            @Override
            public boolean hasNext() {
                if (items == null) {
                    items = change.apply(Python.iterate(value));
                }
                return items.hasNext();
            }

            @Override
            public Object next() {
                if (!hasNext()) {
                    throw new java.util.NoSuchElementException();
                }
                return items.next();
            }
        });
    }

    private Object select(Object value, Arguments given, boolean byAttribute, boolean wanted) {
        if (!Python.truth(value)) {
            return new Lazy("generator", Filters.none());
        }
        if (byAttribute && given.positional().isEmpty()) {
            return failing("chooses by an attribute that has no name");
        }
        UnaryOperator<Object> getter = byAttribute ? key(given.positional().getFirst(), null, false) : item -> item;
        Arguments rest = byAttribute ? given.after(1) : given;
        return lazily(value, items -> Lazy.chosen(items, item -> {
                    budget.step();
                    return Tests.chosen(getter.apply(item), rest, budget) == wanted;
                })
                .items());
    }

    /** What an attribute such as {@code a.b.0} is of an item; {@code otherwise} for what is undefined, null without. */
    private UnaryOperator<Object> key(Object attribute, Object otherwise, boolean ignoreCase) {
        List<Object> path = new ArrayList<>();
        String text = Python.text(attribute);
        if (text != null) {
            for (String part : text.split("\\.", -1)) {
                path.add(part.matches("\\d{1,18}") ? (Object) Long.valueOf(part) : part);
            }
        } else if (attribute != null) {
            path.add(attribute);
        }
        return item -> {
            Object at = item;
            for (Object part : path) {
                budget.step();
                at = interpreter.item(at, part);
                at = otherwise != null && at instanceof Undefined ? otherwise : at;
            }
            return ignoreCase ? ignoringCase(at) : at;
        };
    }

    private static Object ignoringCase(Object value) {
        String text = Python.text(value);
        return text == null ? value : text.toLowerCase(Locale.ROOT);
    }

    /** As {@link #key}, for several attributes with commas between them. */
    private UnaryOperator<Object> keys(Object attribute, boolean ignoreCase) {
        String text = Python.text(attribute);
        List<UnaryOperator<Object>> getters = new ArrayList<>();
        for (Object each : text == null ? new Object[] {Arguments.or(attribute, null)} : text.split(",", -1)) {
            getters.add(key(each, null, ignoreCase));
        }
        return item -> {
            List<Object> keys = new ArrayList<>();
            getters.forEach(getter -> keys.add(getter.apply(item)));
            return keys;
        };
    }

    private List<Object> sorted(List<Object> items, UnaryOperator<Object> key, boolean reverse) {
        List<Object[]> keyed = new ArrayList<>();
        items.forEach(item -> keyed.add(new Object[] {key.apply(item), item}));
        Comparator<Object[]> order = (a, b) -> {
            budget.step(4);
            return Python.ordered("<", a[0], b[0]) ? -1 : Python.ordered("<", b[0], a[0]) ? 1 : 0;
        };
        try {
            keyed.sort(reverse ? order.reversed() : order);
        } catch (IllegalArgumentException e) {
            throw new TemplateFailure("sorts what has no order");
        }
        List<Object> sorted = new ArrayList<>();
        keyed.forEach(each -> sorted.add(each[1]));
        return sorted;
    }

    private Object dictsort(Object value, Arguments given) {
        Object[] values = given.bind("dictsort", 0, "case_sensitive", "by", "reverse");
        Object by = Arguments.or(values[1], "key");
        if (!"key".equals(by) && !"value".equals(by)) {
            throw new TemplateFailure("sorts a dict by what is neither \"key\" nor \"value\"");
        }
        boolean ignoreCase = !Arguments.flag(values[0]);
        int place = "key".equals(by) ? 0 : 1;
        List<Object> pairs = new View("items", Filters.dict("dictsort", value)).list();
        return sorted(
                pairs,
                pair -> {
                    Object key = ((Tuple) pair).items().get(place);
                    return ignoreCase ? ignoringCase(key) : key;
                },
                Arguments.flag(values[2]));
    }

    private Object unique(Object value, Object[] given) {
        UnaryOperator<Object> key = key(Arguments.or(given[1], null), null, !Arguments.flag(given[0]));
        Map<Object, Object> seen = new java.util.LinkedHashMap<>();
        return lazily(value, items -> Lazy.chosen(items, item -> {
                    budget.step();
                    Object at = key.apply(item);
                    boolean first = Dicts.key(seen, at) == Dicts.NONE;
                    seen.put(at, true);
                    return first;
                })
                .items());
    }

    private Object extreme(boolean largest, Object value, Object[] given) {
        UnaryOperator<Object> key = key(Arguments.or(given[1], null), null, !Arguments.flag(given[0]));
        Iterator<Object> items = Python.iterate(value);
        if (!items.hasNext()) {
            return new Undefined("the least and the most of nothing are undefined");
        }
        Object best = items.next();
        Object bestKey = key.apply(best);
        while (items.hasNext()) {
            budget.step();
            Object item = items.next();
            Object at = key.apply(item);
            if (Python.ordered(largest ? ">" : "<", at, bestKey)) {
                best = item;
                bestKey = at;
            }
        }
        return best;
    }

    private Object sum(Object value, Object[] given) {
        Object attribute = Arguments.or(given[0], null);
        UnaryOperator<Object> getter = attribute == null ? item -> item : key(attribute, null, false);
        Object sum = Arguments.or(given[1], 0L);
        if (Python.isText(sum)) {
            throw new TemplateFailure("sums texts");
        }
        Iterator<Object> items = Python.iterate(value);
        while (items.hasNext()) {
            budget.step();
            sum = Operators.binary("+", sum, getter.apply(items.next()), budget);
        }
        return sum;
    }

    private Object batch(Object value, Object[] given) {
        Object fill = Arguments.or(given[1], null);
        Object size = given[0];
        return lazily(value, items -> {
            List<Object> batches = new ArrayList<>();
            List<Object> batch = new ArrayList<>();
            while (items.hasNext()) {
                budget.step();
                if (Python.equal((long) batch.size(), size)) {
                    batches.add(batch);
                    batch = new ArrayList<>();
                }
                batch.add(items.next());
            }
            if (!batch.isEmpty()) {
                int missing = fill == null ? 0 : Numbers.small(size, "linecount") - batch.size();
                budget.items(Math.max(0, missing));
                for (int i = 0; i < missing; i++) {
                    batch.add(fill);
                }
                batches.add(batch);
            }
            return batches.iterator();
        });
    }

    private Object slices(Object value, Object[] given) {
        Object fill = Arguments.or(given[1], null);
        int count = Numbers.small(given[0], "slices");
        return lazily(value, items -> {
            List<Object> all = new ArrayList<>();
            items.forEachRemaining(all::add);
            budget.items(Math.max(0, count));
            if (count == 0) {
                throw new TemplateFailure("divides by zero");
            }
            List<Object> slices = new ArrayList<>();
            int at = 0;
            for (int i = 0; i < count; i++) {
                boolean longer = i < all.size() % count;
                int end = at + all.size() / count + (longer ? 1 : 0);
                List<Object> slice = new ArrayList<>(all.subList(at, end));
                if (fill != null && !longer) {
                    slice.add(fill);
                }
                slices.add(slice);
                at = end;
            }
            return slices.iterator();
        });
    }

    private Object groupBy(Object value, Object[] given) {
        Object otherwise = Arguments.or(given[1], null);
        boolean sensitive = Arguments.flag(given[2]);
        UnaryOperator<Object> key = key(given[0], otherwise, !sensitive);
        UnaryOperator<Object> name = key(given[0], otherwise, false);
        List<Object> groups = new ArrayList<>();
        Object current = null;
        List<Object> group = null;
        for (Object item : sorted(Sequences.list(value, budget), key, false)) {
            Object at = key.apply(item);
            if (group == null || !Python.equal(at, current)) {
                group = new ArrayList<>();
                groups.add(new Tuple(Arrays.asList(sensitive ? at : name.apply(item), group), GROUP));
                current = at;
            }
            group.add(item);
        }
        return groups;
    }
}
