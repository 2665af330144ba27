package org.calm4j.engine.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.calm4j.engine.CalmException;

/** JSON Lines: one object a line, UTF-8. */
public final class Jsonl {
    private Jsonl() {
    }

    /**
     * All lines; empty ones are left out.
     *
     * @throws CalmException bad input: missing, not UTF-8, or a line that is no such object, with file and line
     */
    public static <T> List<T> read(Path file, Class<T> type) {
        return Jsonl.<T, T>read(file, Json.mapper().readerFor(type), (value, where) -> value);
    }

    /** The same, each line made into something else by a function that is also told where it stands, as {@code file:line}. */
    public static <T, R> List<R> read(Path file, Class<T> type, BiFunction<T, String, R> make) {
        return read(file, Json.mapper().readerFor(type), make);
    }

    /** The same as maps, keys in their order. */
    public static List<Map<String, Object>> readMaps(Path file) {
        ObjectReader reader = Json.mapper().readerFor(new TypeReference<Map<String, Object>>() { });
        return Jsonl.<Map<String, Object>, Map<String, Object>>read(file, reader, (value, where) -> value);
    }

    private static <T, R> List<R> read(Path file, ObjectReader reader, BiFunction<T, String, R> make) {
        List<R> all = new ArrayList<>();
        int number = 0;
        var decoder = StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(Files.newInputStream(file), decoder))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                number++;
                String text = number == 1 && line.startsWith("\uFEFF") ? line.substring(1) : line;
                if (text.isBlank()) {
                    continue;
                }
                if (!text.stripLeading().startsWith("{")) {
                    throw CalmException.badInput(file + ":" + number, "a line must be a JSON object, {…}");
                }
                T value = reader.readValue(text);
                all.add(make.apply(value, file + ":" + number));
            }
        } catch (CharacterCodingException e) {
            throw CalmException.badInput(file + ":" + (number + 1), "not valid UTF-8, on this line or soon after", e);
        } catch (JsonProcessingException e) {
            throw CalmException.badInput(file + ":" + number, Json.problem(e), e);
        } catch (IOException e) {
            throw Json.unreadable(file, e);
        }
        return all;
    }

    /** Written beside and renamed. */
    public static void write(Path file, Iterable<?> values) {
        ObjectWriter writer = Json.mapper().writer();
        AtomicFile.write(file, out -> {
            for (Object value : values) {
                out.write(writer.writeValueAsBytes(value));
                out.write('\n');
            }
        });
    }
}
