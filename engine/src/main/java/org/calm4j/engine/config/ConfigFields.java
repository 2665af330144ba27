package org.calm4j.engine.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.calm4j.engine.CalmException;

/**
 * Fields of a JSON object by type; a field of another type is an error that names it, and null counts as missing.
 *
 * @param where the file, and the object in it
 */
public record ConfigFields(ObjectNode json, Object where) {
    /** The largest size, count or token id. */
    private static final int LARGEST_EXTENT = 1 << 24;

    public CalmException bad(String problem) {
        return CalmException.badInput(where, problem);
    }

    public CalmException unsupported(String name, String supported) {
        JsonNode value = json.get(name);
        return bad(name + " is " + (value == null ? "missing" : value) + "; supported: " + supported);
    }

    private JsonNode value(String name) {
        JsonNode value = json.get(name);
        return value == null || value.isNull() ? null : value;
    }

    private CalmException expected(String name, String expected) {
        String given = json.get(name).toString();
        return bad(name + " is " + (given.length() > 40 ? given.substring(0, 40) + "…" : given) + ", expected "
                + expected);
    }

    public boolean has(String name) {
        return value(name) != null;
    }

    /** No fields at all. */
    public ConfigFields empty() {
        return new ConfigFields(JsonNodeFactory.instance.objectNode(), where);
    }

    /** Null if it is missing. */
    public ConfigFields object(String name) {
        JsonNode value = value(name);
        if (value == null) {
            return null;
        }
        if (!(value instanceof ObjectNode object)) {
            throw expected(name, "an object");
        }
        return new ConfigFields(object, where + ": " + name);
    }

    public String text(String name, String otherwise) {
        JsonNode value = value(name);
        if (value == null) {
            return otherwise;
        }
        if (!value.isTextual()) {
            throw expected(name, "a string");
        }
        return value.textValue();
    }

    public boolean flag(String name, boolean otherwise) {
        JsonNode value = value(name);
        if (value == null) {
            return otherwise;
        }
        if (!value.isBoolean()) {
            throw expected(name, "true or false");
        }
        return value.booleanValue();
    }

    /** A whole number from 1 to {@code most}. */
    public int extent(String name, int most) {
        if (!has(name)) {
            throw bad(name + " is missing");
        }
        return whole(name, 1, most);
    }

    public int extent(String name) {
        return extent(name, LARGEST_EXTENT);
    }

    public int extentOr(String name, int otherwise) {
        return has(name) ? extent(name) : otherwise;
    }

    /** The same, with 0 allowed. */
    public int countOr(String name, int otherwise) {
        return has(name) ? whole(name, 0, Integer.MAX_VALUE) : otherwise;
    }

    private int whole(String name, int least, int most) {
        JsonNode value = json.get(name);
        if (!value.isInt() || value.intValue() < least || value.intValue() > most) {
            throw expected(name, "a whole number from " + least + " to " + most);
        }
        return value.intValue();
    }

    public double positive(String name) {
        if (!has(name)) {
            throw bad(name + " is missing");
        }
        return positive(name, 1);
    }

    public double positive(String name, double otherwise) {
        JsonNode value = value(name);
        if (value == null) {
            return otherwise;
        }
        // Beyond these no arithmetic in single precision makes sense.
        if (!value.isNumber() || !(value.doubleValue() >= 1e-30) || value.doubleValue() > 1e30) {
            throw expected(name, "a positive number");
        }
        return value.doubleValue();
    }

    public List<String> texts(String name) {
        JsonNode value = value(name);
        if (value == null) {
            return null;
        }
        if (!value.isArray() || value.valueStream().anyMatch(item -> !item.isTextual())) {
            throw expected(name, "a list of strings");
        }
        return value.valueStream().map(JsonNode::textValue).toList();
    }

    /** A token id, a list of them, or none; an id below 0 counts as none. */
    public List<Integer> ids(String name) {
        JsonNode value = value(name);
        List<Integer> ids = new ArrayList<>();
        if (value == null) {
            return List.of();
        }
        for (JsonNode id : value.isArray() ? value : List.of(value)) {
            if (!id.isInt()) {
                throw expected(name, "a token id or a list of them");
            }
            if (id.intValue() >= 0) {
                ids.add(id.intValue());
            }
        }
        return List.copyOf(ids);
    }

    /** @throws CalmException bad input: the field has a value other than null, false, and those without an effect */
    public void mustBeNeutral(String name, String... neutral) {
        if (!isNeutral(name, Set.of(neutral))) {
            throw unsupported(name, neutral.length == 0 ? "null" : String.join(", ", neutral));
        }
    }

    /** Whether it is null, false, or one of the values without an effect. */
    public boolean isNeutral(String name, Set<String> neutral) {
        JsonNode value = value(name);
        return value == null || value.isBoolean() && !value.booleanValue() || neutral.contains(value.asText());
    }
}
