package org.calm4j.engine.jinja;

import java.util.List;

/** Tokens that a parser takes one by one. */
final class Tokens {
    private static final int DEEPEST = 200;

    private final List<Token> tokens;
    private int at;
    private int depth;

    Tokens(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token peek() {
        return tokens.get(at);
    }

    Token peekNext() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    Token take() {
        Token token = tokens.get(at);
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    boolean takes(String operator) {
        boolean found = peek().is(operator);
        if (found) {
            take();
        }
        return found;
    }

    boolean takesName(String name) {
        boolean found = peek().named(name);
        if (found) {
            take();
        }
        return found;
    }

    void expect(String operator) {
        if (!takes(operator)) {
            throw failure("has " + peek().describe() + " where \"" + operator + "\" is expected");
        }
    }

    String name() {
        return expect(Token.Kind.NAME, "a name").text();
    }

    Token expect(Token.Kind kind, String what) {
        if (peek().kind() != kind) {
            throw failure("has " + peek().describe() + " where " + what + " is expected");
        }
        return take();
    }

    void enter() {
        if (++depth > DEEPEST) {
            throw failure("nests deeper than " + DEEPEST + " levels");
        }
    }

    void leave() {
        depth--;
    }

    TemplateFailure failure(String what) {
        return new TemplateFailure(what, peek().line());
    }
}
