package org.calm4j.engine.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.calm4j.engine.CalmException;

/** The one configured JSON mapper: duplicate keys and trailing text are errors, depth and lengths are bounded, unknown fields are ignored. */
public final class Json {
    private static final int MAX_DEPTH = 200;
    private static final int MAX_STRING = 100_000_000;
    private static final JsonMapper MAPPER = JsonMapper.builder(factory())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
            // Jackson would write a path as a file: URI.
            .addModule(new SimpleModule().addSerializer(Path.class, ToStringSerializer.instance))
            .build();

    private Json() {}

    private static com.fasterxml.jackson.core.JsonFactory factory() {
        return com.fasterxml.jackson.core.JsonFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_DEPTH)
                        .maxStringLength(MAX_STRING)
                        .maxNumberLength(100)
                        .build())
                .build();
    }

    public static ObjectMapper mapper() {
        return MAPPER;
    }

    /** @throws CalmException bad input: missing, unreadable, not UTF-8, half of a surrogate pair, or invalid JSON for the type, with file and line */
    public static <T> T read(Path file, Class<T> type) {
        String json = TextFile.read(file);
        TextFile.checkEscapes(json, file, 1);
        try {
            T value = MAPPER.readValue(json, type);
            if (value == null) {
                throw CalmException.badInput(file, "null where " + JsonProblem.expected(type) + " is expected");
            }
            return value;
        } catch (JsonProcessingException e) {
            int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
            throw CalmException.badInput(file + ":" + line, JsonProblem.of(e), e);
        }
    }

    /** Writes indented JSON to a temporary file and renames it. */
    public static void write(Path file, Object value) {
        AtomicFile.write(file, out -> {
            out.write(pretty(value));
            out.write('\n');
        });
    }

    /** One line. */
    public static String compact(Object value) {
        try {
            return MAPPER.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** Indented, UTF-8. */
    public static byte[] pretty(Object value) {
        try {
            return MAPPER.writerWithDefaultPrettyPrinter()
                    .writeValueAsString(value)
                    .getBytes(StandardCharsets.UTF_8);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
