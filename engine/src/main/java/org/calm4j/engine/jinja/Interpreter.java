package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The values of expressions, as Jinja2's sandbox finds them. */
final class Interpreter {
    private static final Set<String> CHANGES_LIST =
            Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");
    private static final Set<String> CHANGES_DICT = Set.of("clear", "pop", "popitem", "setdefault", "update");

    private final Budget budget = new Budget();

    Budget budget() {
        return budget;
    }

    Object value(Expression expression, Scope scope) {
        budget.enter();
        Object value =
                switch (expression) {
                    case Expression.Constant(Object constant) -> constant;
                    case Expression.Name(String name) -> scope.get(name);
                    case Expression.Attribute(Expression of, String name) -> attribute(value(of, scope), name);
                    case Expression.Item(Expression of, Expression key) -> item(value(of, scope), value(key, scope));
                    case Expression.SliceOf slice -> slice(slice, scope);
                    case Expression.Call(Expression function, Expression.Passed passed) ->
                        call(value(function, scope), arguments(passed, scope));
                    case Expression.Filter filter -> filter(filter, value(filter.value(), scope), scope);
                    case Expression.Test(Expression of, String name, Expression.Passed passed) ->
                        Tests.test(name, value(of, scope), arguments(passed, scope), budget);
                    case Expression.Binary(String operator, Expression left, Expression right) ->
                        Operators.binary(operator, value(left, scope), value(right, scope), budget);
                    case Expression.Negative(Expression of, boolean minus) ->
                        Operators.negative(value(of, scope), minus);
                    case Expression.Concat(List<Expression> parts) -> concat(parts, scope);
                    case Expression.Compare compare -> compare(compare, scope);
                    case Expression.Both(Expression left, Expression right) -> {
                        Object first = value(left, scope);
                        yield Python.truth(first) ? value(right, scope) : first;
                    }
                    case Expression.Either(Expression left, Expression right) -> {
                        Object first = value(left, scope);
                        yield Python.truth(first) ? first : value(right, scope);
                    }
                    case Expression.Not(Expression of) -> !Python.truth(value(of, scope));
                    case Expression.Conditional(Expression test, Expression then, Expression otherwise) ->
                        Python.truth(value(test, scope))
                                ? value(then, scope)
                                : otherwise != null
                                        ? value(otherwise, scope)
                                        : new Undefined(
                                                "an \"if\" within an expression has no \"else\", so its value is undefined");
                    case Expression.ListOf(List<Expression> items) -> values(items, scope);
                    case Expression.TupleOf(List<Expression> items) -> new Tuple(values(items, scope));
                    case Expression.DictOf dict -> {
                        Map<Object, Object> map = new LinkedHashMap<>();
                        for (int i = 0; i < dict.keys().size(); i++) {
                            Dicts.put(
                                    map,
                                    value(dict.keys().get(i), scope),
                                    value(dict.values().get(i), scope));
                        }
                        yield map;
                    }
                };
        budget.leave();
        return value;
    }

    private List<Object> values(List<Expression> expressions, Scope scope) {
        List<Object> values = new ArrayList<>(expressions.size());
        for (Expression each : expressions) {
            values.add(value(each, scope));
        }
        return values;
    }

    private Object optional(Expression expression, Scope scope) {
        return expression == null ? null : value(expression, scope);
    }

    private Object slice(Expression.SliceOf slice, Scope scope) {
        return Sequences.slice(
                value(slice.of(), scope),
                optional(slice.from(), scope),
                optional(slice.to(), scope),
                optional(slice.step(), scope),
                budget);
    }

    private String concat(List<Expression> parts, Scope scope) {
        StringBuilder text = new StringBuilder();
        for (Object part : values(parts, scope)) {
            String more = Python.string(part);
            budget.text((long) text.length() + more.length());
            text.append(more);
        }
        return text.toString();
    }

    private boolean compare(Expression.Compare compare, Scope scope) {
        Object left = value(compare.first(), scope);
        for (int i = 0; i < compare.operators().size(); i++) {
            Object right = value(compare.others().get(i), scope);
            if (!Operators.compare(compare.operators().get(i), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    /** A filter's value; its first argument is given. */
    Object filter(Expression.Filter filter, Object value, Scope scope) {
        return Filters.apply(this, filter.name(), value, arguments(filter.passed(), scope));
    }

    Arguments arguments(Expression.Passed passed, Scope scope) {
        if (passed == Expression.Passed.NOTHING) {
            return Arguments.NONE;
        }
        List<Object> positional = values(passed.positional(), scope);
        if (passed.list() != null) {
            positional.addAll(Sequences.list(value(passed.list(), scope), budget));
        }
        Map<String, Object> named = new LinkedHashMap<>();
        for (int i = 0; i < passed.names().size(); i++) {
            named.put(passed.names().get(i), value(passed.named().get(i), scope));
        }
        if (passed.map() != null) {
            if (!(value(passed.map(), scope) instanceof Map<?, ?> map)) {
                throw new TemplateFailure("passes on as named arguments what is not a dict");
            }
            map.forEach((name, value) -> {
                if (!(name instanceof String text) || named.containsKey(text)) {
                    throw new TemplateFailure("passes on an argument twice or without a name");
                }
                named.put(text, value);
            });
        }
        return new Arguments(positional, named);
    }

    Object call(Object function, Arguments given) {
        return switch (function) {
            case Callable callable -> callable.call(given);
            case Loop loop -> loop.call(given);
            case Undefined undefined -> throw undefined.failure();
            case null, default ->
                throw new TemplateFailure("calls " + Python.type(function) + " as if it were a function");
        };
    }

    /** {@code value.name}: methods come first. */
    Object attribute(Object value, String name) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object method = method(value, name);
        if (method != null) {
            return method;
        }
        Object found = value instanceof Map<?, ?> map && map.containsKey(name) ? map.get(name) : own(value, name);
        return found == Arguments.ABSENT ? missing(value, name) : found;
    }

    /** {@code value[key]}: keys come first. */
    Object item(Object value, Object key) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (value instanceof Map<?, ?> map) {
            boolean possible =
                    !(key instanceof Map || key instanceof View || key instanceof List && !(key instanceof Range));
            Object there = possible ? Dicts.key(map, key) : Dicts.NONE;
            if (there != Dicts.NONE) {
                return map.get(there);
            }
        } else {
            Object found = Sequences.at(value, key);
            if (found != Dicts.NONE) {
                return found;
            }
        }
        String name = Python.text(key);
        if (name == null) {
            return missing(value, key);
        }
        Object method = method(value, name);
        Object found = method != null ? method : own(value, name);
        return found == Arguments.ABSENT ? missing(value, name) : found;
    }

    /** What an object other than a dict has under a name; {@link Arguments#ABSENT} for nothing. */
    static Object own(Object value, String name) {
        switch (value) {
            case Namespace namespace -> {
                return namespace.attributes().containsKey(name)
                        ? namespace.attributes().get(name)
                        : Arguments.ABSENT;
            }
            case Loop loop -> {
                Object found = loop.attribute(name);
                return Loop.has(found) ? found : Arguments.ABSENT;
            }
            case Tuple tuple
            when tuple.names().contains(name) -> {
                return tuple.items().get(tuple.names().indexOf(name));
            }
            case Globals.Cycler cycler -> {
                return cycler.attribute(name);
            }
            case null, default -> {
                return Arguments.ABSENT;
            }
        }
    }

    /** A method, or what is undefined where it would change the value; null where there is no method of this name. */
    Object method(Object value, String name) {
        return switch (value) {
            case String _ -> TextMethods.of(value, name, this);
            case Markup _ -> TextMethods.of(value, name, this);
            case Map<?, ?> map -> CHANGES_DICT.contains(name) ? change(name) : Operators.method(map, name, budget);
            case List<?> list ->
                CHANGES_LIST.contains(name) && !(list instanceof Range)
                        ? change(name)
                        : Sequences.method(value, name, budget);
            case Tuple _ -> Sequences.method(value, name, budget);
            case null, default -> null;
        };
    }

    private static Undefined change(String name) {
        return new Undefined("calls " + name + ", which would change what the template was given");
    }

    Undefined missing(Object value, Object name) {
        return new Undefined(Python.type(value) + " has no "
                + (Python.isText(name)
                        ? Text.quote(Python.text(name))
                        : Numbers.isNumber(name) ? "item " + Python.string(name) : "such item"));
    }

    /** Assigns to a name, to several, or to an attribute of a namespace. */
    void assign(Statement.Target target, Object value, Scope scope) {
        switch (target) {
            case Statement.Variable(String name) -> scope.set(name, value);
            case Statement.Field(String name, String field) -> {
                if (!(scope.get(name) instanceof Namespace namespace)) {
                    throw new TemplateFailure(
                            "sets an attribute of " + Text.quote(name) + ", which is not a namespace");
                }
                namespace.attributes().put(field, value);
            }
            case Statement.Several(List<Statement.Target> targets) -> {
                List<Object> parts = Sequences.list(value, budget);
                if (parts.size() != targets.size()) {
                    throw new TemplateFailure("takes apart " + parts.size() + " values into " + targets.size());
                }
                Iterator<Object> each = parts.iterator();
                targets.forEach(one -> assign(one, each.next(), scope));
            }
        }
    }
}
