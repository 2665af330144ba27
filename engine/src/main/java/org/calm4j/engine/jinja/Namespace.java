package org.calm4j.engine.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** What {@code namespace()} makes: the one thing whose attributes a template can set. */
final class Namespace {
    private final Map<Object, Object> attributes = new LinkedHashMap<>();

    Map<Object, Object> attributes() {
        return attributes;
    }
}
