package org.calm4j.engine.jinja;

import java.util.List;

/** What a template does; {@code line} counts from 1. */
sealed interface Statement {
    int line();

    record Data(int line, String text) implements Statement {}

    record Output(int line, Expression value) implements Statement {}

    /** @param test which items take part; null for all */
    record For(
            int line,
            Target target,
            Expression items,
            Expression test,
            List<Statement> body,
            List<Statement> otherwise,
            boolean recursive)
            implements Statement {}

    record Branch(Expression test, List<Statement> body) {}

    record If(int line, List<Branch> branches, List<Statement> otherwise) implements Statement {}

    record Assign(int line, Target target, Expression value) implements Statement {}

    /** @param filter null without */
    record AssignBlock(int line, Target target, Expression.Filter filter, List<Statement> body) implements Statement {}

    /** @param otherwise null where the argument has no default */
    record Parameter(String name, Expression otherwise) {}

    record Macro(
            int line,
            String name,
            List<Parameter> parameters,
            List<Statement> body,
            boolean usesCaller,
            boolean usesVarargs,
            boolean usesKwargs)
            implements Statement {}

    record CallBlock(int line, Macro caller, Expression.Call call) implements Statement {}

    record FilterBlock(int line, Expression.Filter filter, List<Statement> body) implements Statement {}

    record With(int line, List<Target> targets, List<Expression> values, List<Statement> body) implements Statement {}

    /** What the model says, as transformers marks it. */
    record Generation(int line, List<Statement> body) implements Statement {}

    /** A body with a scope of its own: {@code autoescape} and {@code block}. */
    record Inner(int line, List<Statement> body) implements Statement {}

    record Break(int line) implements Statement {}

    record Continue(int line) implements Statement {}

    /** Tags that need other templates, which do not exist here. */
    record Other(int line, String tag) implements Statement {}

    /** What can be assigned to. */
    sealed interface Target {}

    record Variable(String name) implements Target {}

    /** An attribute of a {@code namespace()}. */
    record Field(String namespace, String name) implements Target {}

    record Several(List<Target> targets) implements Target {}
}
