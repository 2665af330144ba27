package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs the statements of a template once. */
final class Renderer {
    private enum End {
        NORMAL,
        BREAK,
        CONTINUE
    }

    /** Steps that an item of a loop costs, with the scope it makes. */
    private static final int ITEM = 20;

    private final Interpreter interpreter = new Interpreter();
    private final Budget budget = interpreter.budget();
    private StringBuilder out = new StringBuilder();
    private int redirected;
    private int line = 1;
    private final List<Template.Span> generated = new ArrayList<>();

    Budget budget() {
        return budget;
    }

    /** The current line, for messages. */
    int line() {
        return line;
    }

    Template.Rendered render(List<Statement> body, Map<String, Object> values) {
        Scope root = new Scope(new Scope(null, Globals.of(budget)), values);
        run(body, new Scope(root));
        return new Template.Rendered(out.toString(), generated);
    }

    private End run(List<Statement> body, Scope scope) {
        for (Statement statement : body) {
            End end = run(statement, scope);
            if (end != End.NORMAL) {
                return end;
            }
        }
        return End.NORMAL;
    }

    private End run(Statement statement, Scope scope) {
        budget.enter();
        line = statement.line();
        End end = End.NORMAL;
        switch (statement) {
            case Statement.Data(int _, String text) -> write(text);
            case Statement.Output(int _, Expression value) -> write(Python.string(interpreter.value(value, scope)));
            case Statement.If choice -> end = choose(choice, scope);
            case Statement.For loop -> end = loop(loop, scope);
            case Statement.Assign(int _, Statement.Target target, Expression value) ->
                interpreter.assign(target, interpreter.value(value, scope), scope);
            case Statement.AssignBlock(
                    int _,
                    Statement.Target target,
                    Expression.Filter filter,
                    List<Statement> body) -> {
                Scope inner = new Scope(scope);
                StringBuilder outer = begin();
                end = run(body, inner);
                String text = finish(outer);
                if (end == End.NORMAL) {
                    interpreter.assign(target, filter == null ? text : filtered(filter, text, inner), scope);
                }
            }
            case Statement.FilterBlock(int _, Expression.Filter filter, List<Statement> body) -> {
                Scope inner = new Scope(scope);
                StringBuilder outer = begin();
                end = run(body, inner);
                String text = finish(outer);
                if (end == End.NORMAL) {
                    write(Python.string(filtered(filter, text, inner)));
                }
            }
            case Statement.Macro macro -> scope.set(macro.name(), macro(macro, scope));
            case Statement.CallBlock(int _, Statement.Macro caller, Expression.Call call) -> {
                Object function = interpreter.value(call.function(), scope);
                Arguments given = interpreter.arguments(call.passed(), scope).with("caller", macro(caller, scope));
                write(Python.string(interpreter.call(function, given)));
            }
            case Statement.With(
                    int _,
                    List<Statement.Target> targets,
                    List<Expression> values,
                    List<Statement> body) -> {
                Scope inner = new Scope(scope);
                for (int i = 0; i < targets.size(); i++) {
                    interpreter.assign(targets.get(i), interpreter.value(values.get(i), scope), inner);
                }
                end = run(body, inner);
            }
            case Statement.Generation(int _, List<Statement> body) -> {
                int start = out.length();
                end = run(body, new Scope(scope));
                generated.add(new Template.Span(redirected == 0 ? start : -1, out.length()));
            }
            case Statement.Inner(int _, List<Statement> body) -> end = run(body, new Scope(scope));
            case Statement.Break _ -> end = End.BREAK;
            case Statement.Continue _ -> end = End.CONTINUE;
            case Statement.Other(int _, String tag) ->
                throw new TemplateFailure("has the tag \"" + tag + "\", which needs other templates");
        }
        budget.leave();
        return end;
    }

    private void write(String text) {
        budget.text((long) out.length() / 64 + text.length());
        out.append(text);
        if (out.length() > 10_000_000) {
            budget.text(out.length());
        }
    }

    /** Redirects output until it is finished. */
    private StringBuilder begin() {
        StringBuilder outer = out;
        out = new StringBuilder();
        redirected++;
        return outer;
    }

    private String finish(StringBuilder outer) {
        String text = out.toString();
        out = outer;
        redirected--;
        return text;
    }

    /** A block's text through its filters. */
    private Object filtered(Expression.Filter filter, String text, Scope scope) {
        Object value = filter.value() == null ? text : filtered((Expression.Filter) filter.value(), text, scope);
        return interpreter.filter(filter, value, scope);
    }

    private End choose(Statement.If choice, Scope scope) {
        for (Statement.Branch branch : choice.branches()) {
            if (Python.truth(interpreter.value(branch.test(), scope))) {
                return run(branch.body(), scope);
            }
        }
        return run(choice.otherwise(), scope);
    }

    private End loop(Statement.For loop, Scope scope) {
        Object items = interpreter.value(loop.items(), scope);
        if (loop.recursive()) {
            write(recursively(loop, scope, items, 0));
            return End.NORMAL;
        }
        return loop(loop, scope, items, 0, null);
    }

    private String recursively(Statement.For loop, Scope scope, Object items, int depth) {
        StringBuilder outer = begin();
        loop(
                loop,
                scope,
                items,
                depth,
                given -> recursively(loop, scope, given.bind("loop", 1, "iterable")[0], depth + 1));
        return finish(outer);
    }

    private End loop(Statement.For loop, Scope scope, Object items, int depth, Callable.Body again) {
        Object chosen = items;
        Iterator<Object> iterator = Python.iterate(items);
        if (loop.test() != null) {
            Iterator<Object> all = iterator;
            chosen = Lazy.chosen(all, item -> {
                budget.step(ITEM);
                Scope inner = new Scope(scope);
                interpreter.assign(loop.target(), item, inner);
                return Python.truth(interpreter.value(loop.test(), inner));
            });
            iterator = ((Lazy) chosen).items();
        }
        Loop state = new Loop(chosen, iterator, depth, again);
        boolean none = true;
        while (state.next()) {
            none = false;
            Scope inner = new Scope(scope);
            inner.set("loop", state);
            interpreter.assign(loop.target(), state.current(), inner);
            budget.step(ITEM);
            if (run(loop.body(), inner) == End.BREAK) {
                return End.NORMAL;
            }
        }
        return none ? run(loop.otherwise(), new Scope(scope)) : End.NORMAL;
    }

    private Callable macro(Statement.Macro macro, Scope scope) {
        return new Callable("<Macro '" + macro.name() + "'>", given -> call(macro, given, scope));
    }

    private String call(Statement.Macro macro, Arguments given, Scope outside) {
        Scope scope = new Scope(outside);
        List<Statement.Parameter> parameters = macro.parameters();
        Map<String, Object> rest = new LinkedHashMap<>(given.named());
        int placed = Math.min(parameters.size(), given.positional().size());
        for (int i = 0; i < parameters.size(); i++) {
            String name = parameters.get(i).name();
            boolean passed = i < placed || rest.containsKey(name);
            scope.set(name, i < placed ? given.positional().get(i) : passed ? rest.remove(name) : Scope.MISSING);
        }
        if (macro.usesCaller()) {
            Object caller = rest.remove("caller");
            scope.set("caller", caller == null ? new Undefined("no caller is defined") : caller);
        }
        if (macro.usesKwargs()) {
            scope.set("kwargs", new LinkedHashMap<Object, Object>(rest));
        } else if (!rest.isEmpty()) {
            throw new TemplateFailure("calls the macro " + Text.quote(macro.name()) + ", which has no argument named "
                    + Text.quote(rest.keySet().iterator().next()));
        }
        if (macro.usesVarargs()) {
            scope.set(
                    "varargs",
                    new Tuple(new ArrayList<>(given.positional()
                            .subList(placed, given.positional().size()))));
        } else if (given.positional().size() > parameters.size()) {
            throw new TemplateFailure("calls the macro " + Text.quote(macro.name()) + " with more than "
                    + parameters.size() + " arguments");
        }
        int from = line;
        for (int i = placed; i < parameters.size(); i++) {
            Statement.Parameter parameter = parameters.get(i);
            if (scope.get(parameter.name()) instanceof Undefined
                    && !given.named().containsKey(parameter.name())) {
                scope.set(
                        parameter.name(),
                        parameter.otherwise() == null
                                ? new Undefined("parameter " + Text.quote(parameter.name()) + " was not provided")
                                : interpreter.value(parameter.otherwise(), scope));
            }
        }
        StringBuilder outer = begin();
        run(macro.body(), scope);
        line = from;
        return finish(outer);
    }
}
