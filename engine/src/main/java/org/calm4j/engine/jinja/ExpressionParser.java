package org.calm4j.engine.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Jinja2's grammar of expressions, loosest first. */
final class ExpressionParser {
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    private final Tokens tokens;
    /** Names used by the macros that are being parsed, innermost first. */
    private final Deque<Set<String>> used = new ArrayDeque<>();

    private final List<TemplateFailure> unknown = new ArrayList<>();
    /** Whether an unknown filter is an error only when it is reached: directly in a branch. */
    private boolean soft;

    ExpressionParser(Tokens tokens) {
        this.tokens = tokens;
    }

    /** Sets whether unknown filters are errors only when they are reached, and returns what held before. */
    boolean soft(boolean now) {
        boolean before = soft;
        soft = now;
        return before;
    }

    void collectNames() {
        used.push(new HashSet<>());
    }

    Set<String> collectedNames() {
        Set<String> names = used.pop();
        if (!used.isEmpty()) {
            used.peek().addAll(names);
        }
        return names;
    }

    /** @throws TemplateFailure an unknown filter or test was met where it is an error even if it is never reached */
    void checkNames() {
        if (!unknown.isEmpty()) {
            throw unknown.getFirst();
        }
    }

    Expression expression() {
        tokens.enter();
        int before = unknown.size();
        Expression value = either();
        while (tokens.takesName("if")) {
            Expression test = either();
            value = new Expression.Conditional(test, value, tokens.takesName("else") ? expression() : null);
            unknown.subList(before, unknown.size()).clear();
        }
        tokens.leave();
        return value;
    }

    /** Without {@code if … else}. */
    Expression either() {
        Expression left = both();
        while (tokens.takesName("or")) {
            left = new Expression.Either(left, both());
        }
        return left;
    }

    private Expression both() {
        Expression left = not();
        while (tokens.takesName("and")) {
            left = new Expression.Both(left, not());
        }
        return left;
    }

    private Expression not() {
        if (!tokens.takesName("not")) {
            return compare();
        }
        tokens.enter();
        Expression value = new Expression.Not(not());
        tokens.leave();
        return value;
    }

    private Expression compare() {
        Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (true) {
            Token token = tokens.peek();
            if (token.kind() == Token.Kind.OPERATOR && COMPARISONS.contains(token.text())) {
                operators.add(tokens.take().text());
            } else if (tokens.takesName("in")) {
                operators.add("in");
            } else if (token.named("not") && tokens.peekNext().named("in")) {
                tokens.take();
                tokens.take();
                operators.add("not in");
            } else {
                return operators.isEmpty() ? first : new Expression.Compare(first, operators, others);
            }
            others.add(sum());
        }
    }

    private Expression sum() {
        Expression left = concat();
        while (tokens.peek().is("+") || tokens.peek().is("-")) {
            left = new Expression.Binary(tokens.take().text(), left, concat());
        }
        return left;
    }

    private Expression concat() {
        Expression first = product();
        if (!tokens.peek().is("~")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (tokens.takes("~")) {
            parts.add(product());
        }
        return new Expression.Concat(parts);
    }

    private Expression product() {
        Expression left = power();
        while (tokens.peek().is("*")
                || tokens.peek().is("/")
                || tokens.peek().is("//")
                || tokens.peek().is("%")) {
            left = new Expression.Binary(tokens.take().text(), left, power());
        }
        return left;
    }

    private Expression power() {
        Expression left = unary(true);
        while (tokens.takes("**")) {
            left = new Expression.Binary("**", left, unary(true));
        }
        return left;
    }

    private Expression unary(boolean withFilters) {
        tokens.enter();
        Expression value;
        if (tokens.peek().is("-") || tokens.peek().is("+")) {
            boolean minus = tokens.take().is("-");
            value = new Expression.Negative(unary(false), minus);
        } else {
            value = primary();
        }
        value = postfix(value);
        if (withFilters) {
            value = filters(value);
        }
        tokens.leave();
        return value;
    }

    private Expression primary() {
        Token token = tokens.take();
        return switch (token.kind()) {
            case NAME -> name(token.text());
            case STRING -> {
                StringBuilder text = new StringBuilder(token.text());
                while (tokens.peek().kind() == Token.Kind.STRING) {
                    text.append(tokens.take().text());
                }
                yield new Expression.Constant(text.toString());
            }
            case INTEGER, FLOAT -> new Expression.Constant(token.number());
            case OPERATOR ->
                switch (token.text()) {
                    case "(" -> {
                        Expression value = tuple(null, true, true);
                        tokens.expect(")");
                        yield value;
                    }
                    case "[" -> list();
                    case "{" -> dict();
                    default -> throw unexpected(token);
                };
            default -> throw unexpected(token);
        };
    }

    private static TemplateFailure unexpected(Token token) {
        return new TemplateFailure("has " + token.describe() + " where a value is expected", token.line());
    }

    private Expression name(String name) {
        return switch (name) {
            case "true", "True" -> new Expression.Constant(true);
            case "false", "False" -> new Expression.Constant(false);
            case "none", "None" -> new Expression.Constant(null);
            default -> {
                use(name);
                yield new Expression.Name(name);
            }
        };
    }

    void use(String name) {
        if (!used.isEmpty()) {
            used.peek().add(name);
        }
    }

    /**
     * One expression, or several with commas between them as a tuple.
     *
     * @param end a name that ends the tuple too; null without
     * @param conditional whether {@code if … else} may stand in it
     */
    Expression tuple(String end, boolean conditional, boolean parentheses) {
        List<Expression> items = new ArrayList<>();
        boolean tuple = false;
        while (!ends(end)) {
            items.add(conditional ? expression() : either());
            if (!tokens.takes(",")) {
                break;
            }
            tuple = true;
        }
        if (!tuple && items.isEmpty() && !parentheses) {
            throw tokens.failure("has " + tokens.peek().describe() + " where a value is expected");
        }
        return tuple || items.isEmpty() ? new Expression.TupleOf(items) : items.getFirst();
    }

    private boolean ends(String end) {
        Token token = tokens.peek();
        return token.kind() == Token.Kind.VARIABLE_END
                || token.kind() == Token.Kind.BLOCK_END
                || token.is(")")
                || end != null && token.named(end);
    }

    private Expression list() {
        List<Expression> items = new ArrayList<>();
        while (!tokens.peek().is("]")) {
            items.add(expression());
            if (!tokens.peek().is("]")) {
                tokens.expect(",");
            }
        }
        tokens.expect("]");
        return new Expression.ListOf(items);
    }

    private Expression dict() {
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!tokens.peek().is("}")) {
            keys.add(expression());
            tokens.expect(":");
            values.add(expression());
            if (!tokens.peek().is("}")) {
                tokens.expect(",");
            }
        }
        tokens.expect("}");
        return new Expression.DictOf(keys, values);
    }

    private Expression postfix(Expression of) {
        Expression value = of;
        while (true) {
            if (tokens.takes(".")) {
                value = dotted(value);
            } else if (tokens.takes("[")) {
                value = subscript(value);
            } else if (tokens.peek().is("(")) {
                value = new Expression.Call(value, passed());
            } else {
                return value;
            }
        }
    }

    private Expression dotted(Expression of) {
        if (tokens.peek().kind() == Token.Kind.INTEGER) {
            return new Expression.Item(of, new Expression.Constant(tokens.take().number()));
        }
        return new Expression.Attribute(of, tokens.name());
    }

    private Expression subscript(Expression of) {
        List<Expression> keys = new ArrayList<>();
        Expression only = null;
        while (!tokens.peek().is("]")) {
            if (!keys.isEmpty() || only != null) {
                tokens.expect(",");
            }
            Expression from = tokens.peek().is(":") ? null : expression();
            if (tokens.takes(":")) {
                if (only != null || !keys.isEmpty()) {
                    throw tokens.failure("has a slice among several keys");
                }
                only = slice(of, from);
            } else if (only != null) {
                throw tokens.failure("has a slice among several keys");
            } else {
                keys.add(from);
            }
        }
        tokens.expect("]");
        return only != null
                ? only
                : new Expression.Item(of, keys.size() == 1 ? keys.getFirst() : new Expression.TupleOf(keys));
    }

    private Expression slice(Expression of, Expression from) {
        Expression to = sliceEnds() || tokens.peek().is(":") ? null : expression();
        Expression step = tokens.takes(":") && !sliceEnds() ? expression() : null;
        return new Expression.SliceOf(of, from, to, step);
    }

    private boolean sliceEnds() {
        return tokens.peek().is("]") || tokens.peek().is(",");
    }

    private Expression.Passed passed() {
        tokens.expect("(");
        List<Expression> positional = new ArrayList<>();
        List<String> names = new ArrayList<>();
        List<Expression> named = new ArrayList<>();
        Expression list = null;
        Expression map = null;
        while (!tokens.peek().is(")")) {
            if (tokens.takes("*")) {
                check(list == null && map == null);
                list = expression();
            } else if (tokens.takes("**")) {
                check(map == null);
                map = expression();
            } else if (tokens.peek().kind() == Token.Kind.NAME
                    && tokens.peekNext().is("=")) {
                check(map == null);
                names.add(tokens.take().text());
                check(names.indexOf(names.getLast()) == names.size() - 1);
                tokens.take();
                named.add(expression());
            } else {
                check(list == null && map == null && names.isEmpty());
                positional.add(expression());
            }
            if (!tokens.peek().is(")")) {
                tokens.expect(",");
            }
        }
        tokens.expect(")");
        return new Expression.Passed(positional, names, named, list, map);
    }

    private void check(boolean right) {
        if (!right) {
            throw tokens.failure("has a call whose arguments are in an invalid order");
        }
    }

    private Expression filters(Expression of) {
        Expression value = of;
        while (true) {
            if (tokens.takes("|")) {
                value = filter(value);
            } else if (tokens.peek().named("is")) {
                value = test(value);
            } else if (tokens.peek().is("(")) {
                value = new Expression.Call(value, passed());
            } else {
                return value;
            }
        }
    }

    /** A filter's name and arguments. */
    Expression.Filter filter(Expression value) {
        String name = dottedName();
        Expression.Passed passed = tokens.peek().is("(") ? passed() : Expression.Passed.NOTHING;
        if (!soft && !Filters.NAMES.contains(name)) {
            unknown.add(tokens.failure("uses the filter " + Text.quote(name) + ", which does not exist here"));
        }
        return new Expression.Filter(value, name, passed);
    }

    private String dottedName() {
        StringBuilder name = new StringBuilder(tokens.name());
        while (tokens.takes(".")) {
            name.append('.').append(tokens.name());
        }
        return name.toString();
    }

    private Expression test(Expression value) {
        tokens.take();
        boolean negated = tokens.takesName("not");
        String name = dottedName();
        Expression.Passed passed = Expression.Passed.NOTHING;
        Token next = tokens.peek();
        if (next.is("(")) {
            passed = passed();
        } else if (next.named("is")) {
            throw tokens.failure("chains tests with \"is\"");
        } else if (startsArgument(next)) {
            passed = new Expression.Passed(List.of(postfix(primary())), List.of(), List.of(), null, null);
        }
        if (!soft && !Tests.NAMES.contains(name)) {
            unknown.add(tokens.failure("uses the test " + Text.quote(name) + ", which does not exist here"));
        }
        Expression test = new Expression.Test(value, name, passed);
        return negated ? new Expression.Not(test) : test;
    }

    private static boolean startsArgument(Token token) {
        return switch (token.kind()) {
            case STRING, INTEGER, FLOAT -> true;
            case NAME ->
                !token.text().equals("else")
                        && !token.text().equals("or")
                        && !token.text().equals("and");
            case OPERATOR -> token.is("[") || token.is("{");
            default -> false;
        };
    }
}
