package org.calm4j.calm.world;

import java.util.Map;

/**
 * Something that a question is about.
 *
 * @param territory ISO 3166 code; null for a fictional place
 * @param names by language
 */
record Place(String territory, Map<String, String> names) {
    String name(String language) {
        return names.get(language);
    }
}
