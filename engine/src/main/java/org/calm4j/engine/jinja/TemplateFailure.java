package org.calm4j.engine.jinja;

/** Ends the parsing or rendering of a template: what it does wrong, and in which of its lines. */
final class TemplateFailure extends RuntimeException {
    private static final long serialVersionUID = 1;
    /** No line yet. */
    private static final int NONE = 0;

    private final int line;

    TemplateFailure(String message) {
        this(message, NONE);
    }

    TemplateFailure(String message, int line) {
        super(message, null, false, false);
        this.line = line;
    }

    /** The line of the template, counted from 1; {@code otherwise} where none was known when it was thrown. */
    int line(int otherwise) {
        return line == NONE ? otherwise : line;
    }
}
