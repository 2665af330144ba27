package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;

/**
 * A part of a tokenizer.json, read strictly: a field that is missing or of another type is bad input and is named.
 *
 * @param path the part's place in the file, such as {@code pre_tokenizer.pretokenizers[0]}
 */
record Part(JsonNode json, String path, Object where) {
    private static final int MOST_PARTS = 100;

    /** Whether it exists. */
    boolean present() {
        return !json.isMissingNode() && !json.isNull();
    }

    Part get(String name) {
        return new Part(json.path(name), path.isEmpty() ? name : path + "." + name, where);
    }

    /** A part that may be a sequence; the number of its parts is limited, since all of them process each text. */
    Part section(String name) {
        Part section = get(name);
        int parts = section.json.findValues("type").size();
        if (parts > MOST_PARTS) {
            throw section.error("has " + parts + " parts; supported: up to " + MOST_PARTS);
        }
        return section;
    }

    /** The elements of a list; none if the field is absent. */
    List<Part> list(String name) {
        Part list = get(name);
        if (list.present() && !list.json.isArray()) {
            throw list.error("is not a list");
        }
        List<Part> parts = new ArrayList<>();
        for (JsonNode element : list.json) {
            parts.add(new Part(element, list.path + "[" + parts.size() + "]", where));
        }
        return parts;
    }

    String type() {
        return string("type");
    }

    String string(String name) {
        Part field = get(name);
        if (!field.json.isTextual()) {
            throw field.error(field.present() ? "is not a string" : "is missing");
        }
        return field.json.textValue();
    }

    String string(String name, String absent) {
        return get(name).present() ? string(name) : absent;
    }

    boolean flag(String name, boolean absent) {
        Part field = get(name);
        if (field.present() && !field.json.isBoolean()) {
            throw field.error("is not true or false");
        }
        return field.present() ? field.json.booleanValue() : absent;
    }

    /** A whole number of at least 0. */
    int count(String name) {
        Part field = get(name);
        if (!field.json.isInt() || field.json.intValue() < 0) {
            throw field.error(field.present() ? "is not a whole number of at least 0" : "is missing");
        }
        return field.json.intValue();
    }

    CalmException error(String what) {
        return CalmException.badInput(
                where, ((path.isEmpty() ? "the file" : path) + " " + what).replaceAll("\\R", " "));
    }

    /** For an unsupported kind. */
    CalmException unsupported(String supported) {
        return error("\"" + json.path("type").asText() + "\" is not supported; supported: " + supported);
    }
}
