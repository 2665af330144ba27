package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What {@code items()}, {@code keys()} and {@code values()} of a dict give. */
record View(String kind, Map<?, ?> of) {
    List<Object> list() {
        List<Object> list = new ArrayList<>(of.size());
        switch (kind) {
            case "keys" -> list.addAll(of.keySet());
            case "values" -> list.addAll(of.values());
            default -> of.forEach((key, value) -> list.add(Tuple.of(key, value)));
        }
        return list;
    }
}
