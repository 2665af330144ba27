package org.calm4j.calm.translate;

import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** Translates a text. */
@FunctionalInterface
public interface Translator {
    /**
     * @param text never blank
     * @param source language of the text, ISO 639-1
     * @param target language to translate into
     */
    record Request(String text, String source, String target) {}

    /** One translation for each request, in their order; null where there is none. */
    List<String> translate(List<Request> requests);

    /** @param said receives each translation at once, so that a failure loses none of the earlier ones */
    default void translate(List<Request> requests, BiConsumer<Request, String> said) {
        List<String> translations = translate(requests);
        for (int i = 0; i < requests.size(); i++) {
            if (translations.get(i) != null) {
                said.accept(requests.get(i), translations.get(i));
            }
        }
    }

    /** Reasons why requests have no translation, with their counts since this was opened. */
    default Map<String, Integer> leftOut() {
        return Map.of();
    }
}
