package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.calm4j.engine.CalmException;

/** A line of a data file that remembers which of its fields were read. */
final class Row {
    private final JsonNode json;
    private final String where;
    private final Set<String> read = new HashSet<>();

    Row(DataFile.Item item) {
        json = item.json();
        where = item.where();
    }

    String where() {
        return where;
    }

    /** Whether a field has content: null, an empty text and an empty list have none. */
    boolean has(String name) {
        JsonNode value = json.path(name);
        return !value.isMissingNode()
                && !value.isNull()
                && !(value.isTextual() && value.textValue().isEmpty())
                && !(value.isContainerNode() && value.isEmpty());
    }

    /** Whether a field is present, whatever its value. */
    boolean names(String name) {
        return json.has(name);
    }

    JsonNode get(String name) {
        read.add(name);
        return json.path(name);
    }

    /** @throws CalmException bad input: missing, or not text */
    String text(String name) {
        if (!get(name).isTextual()) {
            throw bad(name + (json.has(name) ? " must be a string" : " is missing"));
        }
        return get(name).textValue();
    }

    /** A text field that may be missing. */
    String textOr(String name, String otherwise) {
        return has(name) ? text(name) : otherwise;
    }

    JsonNode json() {
        return json;
    }

    CalmException bad(Object... problem) {
        return CalmException.badInput(where, problem);
    }

    /** Fields with content that were not read. */
    List<String> unread() {
        return json.properties().stream()
                .map(entry -> entry.getKey())
                .filter(name -> !read.contains(name) && has(name))
                .toList();
    }
}
