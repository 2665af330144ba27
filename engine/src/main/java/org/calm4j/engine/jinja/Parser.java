package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Jinja2's grammar of statements, with the extensions that transformers loads: {@code break}, {@code continue}, {@code generation}. */
final class Parser {
    private static final Set<String> CONSTANTS = Set.of("true", "false", "none", "True", "False", "None");

    private final Tokens tokens;
    private final ExpressionParser expressions;
    /** Number of enclosing loops, whose {@code loop} must not be assigned to. */
    private int loops;
    /** Whether {@code break} has a loop to end here: not so in a macro of its own. */
    private boolean breakable;

    private Parser(List<Token> list) {
        tokens = new Tokens(list);
        expressions = new ExpressionParser(tokens);
    }

    /** @throws TemplateFailure not a template */
    static List<Statement> parse(String source) {
        Parser parser = new Parser(Lexer.tokens(source));
        List<Statement> body = parser.body(Set.of());
        parser.expressions.checkNames();
        return body;
    }

    /** Statements up to a tag that ends them, whose name is the next token then; with none up to the end of the template. */
    private List<Statement> body(Set<String> ends) {
        List<Statement> body = new ArrayList<>();
        while (true) {
            Token token = tokens.take();
            switch (token.kind()) {
                case DATA -> body.add(new Statement.Data(token.line(), token.text()));
                case VARIABLE_BEGIN -> {
                    body.add(new Statement.Output(token.line(), expressions.tuple(null, true, false)));
                    tokens.expect(Token.Kind.VARIABLE_END, "\"}}\"");
                }
                case BLOCK_BEGIN -> {
                    if (tokens.peek().kind() == Token.Kind.NAME
                            && ends.contains(tokens.peek().text())) {
                        return body;
                    }
                    statement(body);
                    tokens.expect(Token.Kind.BLOCK_END, "\"%}\"");
                }
                default -> {
                    if (!ends.isEmpty()) {
                        throw new TemplateFailure(
                                "ends where one of the tags "
                                        + String.join(
                                                ", ", ends.stream().sorted().toList()) + " is expected",
                                token.line());
                    }
                    return body;
                }
            }
        }
    }

    /** The body of a tag whose head is read; {@code hard} where it has a scope of its own. */
    private List<Statement> block(boolean hard, String... ends) {
        tokens.takes(":");
        tokens.expect(Token.Kind.BLOCK_END, "\"%}\"");
        tokens.enter();
        boolean before = expressions.soft(!hard);
        List<Statement> body = body(Set.of(ends));
        expressions.soft(before);
        tokens.leave();
        return body;
    }

    private List<Statement> wholeBlock(String end) {
        List<Statement> body = block(true, end);
        tokens.take();
        return body;
    }

    private void statement(List<Statement> body) {
        Token tag = tokens.expect(Token.Kind.NAME, "the name of a tag");
        int line = tag.line();
        switch (tag.text()) {
            case "print" -> print(line, body);
            case "for" -> body.add(forLoop(line));
            case "if" -> body.add(ifElse(line));
            case "set" -> body.add(set(line));
            case "macro" -> body.add(macro(line));
            case "call" -> body.add(call(line));
            case "filter" -> {
                Expression.Filter filter = expressions.filter(null);
                while (tokens.takes("|")) {
                    filter = expressions.filter(filter);
                }
                body.add(new Statement.FilterBlock(line, filter, wholeBlock("endfilter")));
            }
            case "with" -> body.add(with(line));
            case "generation" -> body.add(new Statement.Generation(line, ownBody("endgeneration")));
            case "autoescape" -> {
                if (!(expressions.expression() instanceof Expression.Constant(Object value))
                        || !Boolean.FALSE.equals(value)) {
                    throw new TemplateFailure("escapes automatically, which is not supported", line);
                }
                body.add(new Statement.Inner(line, wholeBlock("endautoescape")));
            }
            case "block" -> body.add(namedBlock(line));
            case "break", "continue" -> {
                if (!breakable) {
                    throw new TemplateFailure("has \"" + tag.text() + "\" outside of a loop", line);
                }
                body.add(tag.text().equals("break") ? new Statement.Break(line) : new Statement.Continue(line));
            }
            case "include", "import", "from", "extends" -> {
                while (tokens.peek().kind() != Token.Kind.BLOCK_END
                        && tokens.peek().kind() != Token.Kind.END) {
                    tokens.take();
                }
                body.add(new Statement.Other(line, tag.text()));
            }
            default ->
                throw new TemplateFailure(
                        "has the tag " + Text.quote(tag.text()) + ", which "
                                + (tag.text().startsWith("end") || tag.text().startsWith("el")
                                        ? "has nothing to end here"
                                        : "is not known here"),
                        line);
        }
    }

    private void print(int line, List<Statement> body) {
        boolean first = true;
        while (tokens.peek().kind() != Token.Kind.BLOCK_END) {
            if (!first) {
                tokens.expect(",");
            }
            first = false;
            body.add(new Statement.Output(line, expressions.expression()));
        }
    }

    private Statement forLoop(int line) {
        loops++;
        Statement.Target target = targets("in", false);
        if (!tokens.takesName("in")) {
            throw tokens.failure("has " + tokens.peek().describe() + " where \"in\" is expected");
        }
        Expression items = expressions.tuple("recursive", false, false);
        boolean before = expressions.soft(false);
        Expression test = tokens.takesName("if") ? expressions.expression() : null;
        expressions.soft(before);
        boolean recursive = tokens.takesName("recursive");
        boolean around = breakable;
        breakable = true;
        List<Statement> body = block(true, "endfor", "else");
        breakable = around && !recursive;
        List<Statement> otherwise = tokens.take().named("else") ? wholeBlock("endfor") : List.of();
        breakable = around;
        loops--;
        return new Statement.For(line, target, items, test, body, otherwise, recursive);
    }

    private Statement ifElse(int line) {
        List<Statement.Branch> branches = new ArrayList<>();
        while (true) {
            boolean before = expressions.soft(true);
            Expression test = expressions.tuple(null, false, false);
            expressions.soft(before);
            branches.add(new Statement.Branch(test, block(false, "elif", "else", "endif")));
            Token end = tokens.take();
            if (!end.named("elif")) {
                List<Statement> otherwise = List.of();
                if (end.named("else")) {
                    otherwise = block(false, "endif");
                    tokens.take();
                }
                return new Statement.If(line, branches, otherwise);
            }
        }
    }

    private Statement set(int line) {
        Statement.Target target = targets(null, true);
        if (tokens.takes("=")) {
            return new Statement.Assign(line, target, expressions.tuple(null, true, false));
        }
        Expression.Filter filter = null;
        while (tokens.takes("|")) {
            filter = expressions.filter(filter);
        }
        return new Statement.AssignBlock(line, target, filter, wholeBlock("endset"));
    }

    private Statement macro(int line) {
        String name = assignable(tokens.name());
        return macro(line, name, () -> parameters(), "endmacro");
    }

    private interface Head {
        List<Statement.Parameter> read();
    }

    private Statement.Macro macro(int line, String name, Head head, String end) {
        expressions.collectNames();
        List<Statement.Parameter> parameters = head.read();
        List<Statement> body = ownBody(end);
        Set<String> names = expressions.collectedNames();
        List<String> own = parameters.stream().map(Statement.Parameter::name).toList();
        boolean caller = names.contains("caller");
        if (caller && parameters.stream().anyMatch(each -> each.name().equals("caller") && each.otherwise() == null)) {
            throw new TemplateFailure("has a macro whose argument \"caller\" has no default", line);
        }
        return new Statement.Macro(
                line,
                name,
                parameters,
                body,
                caller && !own.contains("caller"),
                names.contains("varargs") && !own.contains("varargs"),
                names.contains("kwargs") && !own.contains("kwargs"));
    }

    /** A body that no {@code break} leaves. */
    private List<Statement> ownBody(String end) {
        boolean around = breakable;
        breakable = false;
        List<Statement> body = wholeBlock(end);
        breakable = around;
        return body;
    }

    private List<Statement.Parameter> parameters() {
        List<Statement.Parameter> parameters = new ArrayList<>();
        tokens.expect("(");
        while (!tokens.peek().is(")")) {
            if (!parameters.isEmpty()) {
                tokens.expect(",");
            }
            String name = assignable(tokens.name());
            if (parameters.stream().anyMatch(each -> each.name().equals(name))) {
                throw tokens.failure("has a macro with two arguments named " + Text.quote(name));
            }
            Expression otherwise = tokens.takes("=") ? expressions.expression() : null;
            if (otherwise == null
                    && !parameters.isEmpty()
                    && parameters.getLast().otherwise() != null) {
                throw tokens.failure("has an argument without a default after one with a default");
            }
            parameters.add(new Statement.Parameter(name, otherwise));
        }
        tokens.expect(")");
        return parameters;
    }

    private Statement call(int line) {
        Expression.Call[] call = new Expression.Call[1];
        Statement.Macro caller = macro(
                line,
                "caller",
                () -> {
                    List<Statement.Parameter> parameters = tokens.peek().is("(") ? parameters() : List.of();
                    if (!(expressions.expression() instanceof Expression.Call found)) {
                        throw new TemplateFailure("has a call block without a call", line);
                    }
                    call[0] = found;
                    return parameters;
                },
                "endcall");
        return new Statement.CallBlock(line, caller, call[0]);
    }

    private Statement with(int line) {
        List<Statement.Target> targets = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (tokens.peek().kind() != Token.Kind.BLOCK_END) {
            if (!targets.isEmpty()) {
                tokens.expect(",");
            }
            targets.add(targets(null, false));
            tokens.expect("=");
            values.add(expressions.expression());
        }
        return new Statement.With(line, targets, values, wholeBlock("endwith"));
    }

    private Statement namedBlock(int line) {
        String name = tokens.name();
        tokens.takesName("scoped");
        List<Statement> body = ownBody("endblock");
        tokens.takesName(name);
        return new Statement.Inner(line, body);
    }

    /** Names with commas between them are several. */
    private Statement.Target targets(String end, boolean fields) {
        List<Statement.Target> targets = new ArrayList<>();
        boolean several = false;
        do {
            if (several
                    && (end != null && tokens.peek().named(end)
                            || tokens.peek().is(")")
                            || tokens.peek().kind() == Token.Kind.BLOCK_END)) {
                break;
            }
            targets.add(target(fields));
            several |= tokens.peek().is(",");
        } while (tokens.takes(","));
        return several ? new Statement.Several(targets) : targets.getFirst();
    }

    private Statement.Target target(boolean fields) {
        if (tokens.takes("(")) {
            tokens.enter();
            Statement.Target target = targets(null, false);
            tokens.leave();
            tokens.expect(")");
            return target;
        }
        String name = tokens.name();
        if (fields && tokens.takes(".")) {
            expressions.use(name);
            return new Statement.Field(name, tokens.name());
        }
        if (loops > 0 && name.equals("loop")) {
            throw tokens.failure("assigns to \"loop\" in a loop");
        }
        return new Statement.Variable(assignable(name));
    }

    private String assignable(String name) {
        if (CONSTANTS.contains(name)) {
            throw tokens.failure("assigns to " + name);
        }
        return name;
    }
}
