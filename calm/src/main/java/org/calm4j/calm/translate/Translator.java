package org.calm4j.calm.translate;

import java.util.List;

/** Says in one language what a text says in another. */
public interface Translator {
    /**
     * @param text never blank
     * @param source language of the text, ISO 639-1
     * @param target language to say it in
     */
    record Request(String text, String source, String target) {
    }

    /** One translation for each request, in their order; null where there is none. */
    List<String> translate(List<Request> requests);
}
