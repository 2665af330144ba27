package org.calm4j.calm.translate;

import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** Says in one language what a text says in another. */
@FunctionalInterface
public interface Translator {
    /**
     * @param text never blank
     * @param source language of the text, ISO 639-1
     * @param target language to say it in
     */
    record Request(String text, String source, String target) {}

    /** One translation for each request, in their order; null where there is none. */
    List<String> translate(List<Request> requests);

    /** @param said is told each translation as soon as it is there, so that a failure loses none of those before it */
    default void translate(List<Request> requests, BiConsumer<Request, String> said) {
        List<String> translations = translate(requests);
        for (int i = 0; i < requests.size(); i++) {
            if (translations.get(i) != null) {
                said.accept(requests.get(i), translations.get(i));
            }
        }
    }

    /** Why requests have no translation, and how many since this was opened; what nobody could help is not in it. */
    default Map<String, Integer> leftOut() {
        return Map.of();
    }
}
