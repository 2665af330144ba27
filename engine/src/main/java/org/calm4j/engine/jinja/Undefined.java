package org.calm4j.engine.jinja;

/**
 * The value of what does not exist: prints as nothing, is false, empty and equal to its like; everything else that is done with it fails.
 *
 * @param why says what does not exist, for the failure
 */
record Undefined(String why) {
    static Undefined name(String name) {
        return new Undefined(Text.quote(name) + " is undefined");
    }

    TemplateFailure failure() {
        return new TemplateFailure(why);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Undefined;
    }

    @Override
    public int hashCode() {
        return 1;
    }
}
