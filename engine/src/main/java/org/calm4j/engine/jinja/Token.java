package org.calm4j.engine.jinja;

/**
 * A piece of a template's source.
 *
 * @param text a name, an operator, template data, or the value of a string
 * @param number the value of a number: Long, BigInteger or Double; null for the rest
 */
record Token(Kind kind, String text, Object number, int line) {
    enum Kind {
        DATA,
        BLOCK_BEGIN,
        BLOCK_END,
        VARIABLE_BEGIN,
        VARIABLE_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean is(String operator) {
        return kind == Kind.OPERATOR && text.equals(operator);
    }

    boolean named(String name) {
        return kind == Kind.NAME && text.equals(name);
    }

    /** For messages. */
    String describe() {
        return switch (kind) {
            case DATA -> "text";
            case BLOCK_BEGIN -> "{%";
            case BLOCK_END -> "%}";
            case VARIABLE_BEGIN -> "{{";
            case VARIABLE_END -> "}}";
            case STRING -> "a string";
            case INTEGER, FLOAT -> "the number " + number;
            case END -> "the end of the template";
            case NAME, OPERATOR -> "\"" + text + "\"";
        };
    }
}
