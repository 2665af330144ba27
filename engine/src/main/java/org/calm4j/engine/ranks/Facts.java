package org.calm4j.engine.ranks;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import java.io.IOException;
import java.util.Map;
import org.calm4j.engine.io.Json;

/** What ranks tell each other about themselves, as bytes. */
final class Facts {
    private Facts() {}

    static byte[] bytes(Map<String, String> facts) {
        try {
            return Json.mapper().writeValueAsBytes(facts);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    static Map<String, String> read(byte[] bytes) {
        try {
            return Json.mapper().readValue(bytes, new TypeReference<>() {});
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
