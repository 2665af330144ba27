package org.calm4j.engine.jinja;

/** What can be called: a function, a macro, a method of a value. */
record Callable(String name, Body body) {
    interface Body {
        Object call(Arguments arguments);
    }

    Object call(Arguments arguments) {
        return body.call(arguments);
    }
}
