package org.calm4j.engine.jinja;

import java.util.List;

/** What has a value. */
sealed interface Expression {
    record Constant(Object value) implements Expression {}

    record Name(String name) implements Expression {}

    record ListOf(List<Expression> items) implements Expression {}

    record TupleOf(List<Expression> items) implements Expression {}

    record DictOf(List<Expression> keys, List<Expression> values) implements Expression {}

    /** {@code of.name}: methods come before keys. */
    record Attribute(Expression of, String name) implements Expression {}

    /** {@code of[key]}: keys come before methods. */
    record Item(Expression of, Expression key) implements Expression {}

    /** {@code of[from:to:step]}, each null where it is left out. */
    record SliceOf(Expression of, Expression from, Expression to, Expression step) implements Expression {}

    record Call(Expression function, Passed passed) implements Expression {}

    /** @param value null in a block, which the filter then gets */
    record Filter(Expression value, String name, Passed passed) implements Expression {}

    record Test(Expression value, String name, Passed passed) implements Expression {}

    record Negative(Expression value, boolean minus) implements Expression {}

    record Binary(String operator, Expression left, Expression right) implements Expression {}

    record Concat(List<Expression> parts) implements Expression {}

    /** {@code first operator others[0] operator others[1] …}, as Python chains them. */
    record Compare(Expression first, List<String> operators, List<Expression> others) implements Expression {}

    record Both(Expression left, Expression right) implements Expression {}

    record Either(Expression left, Expression right) implements Expression {}

    record Not(Expression value) implements Expression {}

    /** @param otherwise null where there is none */
    record Conditional(Expression test, Expression then, Expression otherwise) implements Expression {}

    /** What a call passes; {@code list} and {@code map} are {@code *list} and {@code **map}, null without. */
    record Passed(
            List<Expression> positional, List<String> names, List<Expression> named, Expression list, Expression map) {
        static final Passed NOTHING = new Passed(List.of(), List.of(), List.of(), null, null);
    }
}
