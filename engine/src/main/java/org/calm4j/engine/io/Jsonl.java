package org.calm4j.engine.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.calm4j.engine.CalmException;

/** JSON Lines: one object a line, UTF-8. */
public final class Jsonl {
    private Jsonl() {}

    /**
     * All lines; empty ones are left out.
     *
     * @throws CalmException bad input: missing, not UTF-8, half of a surrogate pair, or a line that is not such an object, with file and line
     */
    public static <T> List<T> read(Path file, Class<T> type) {
        return Jsonl.<T, T>read(file, Json.mapper().readerFor(type), (value, where) -> value);
    }

    /** The same, each line mapped by a function that also receives its place, as {@code file:line}. */
    public static <T, R> List<R> read(Path file, Class<T> type, BiFunction<T, String, R> make) {
        return read(file, Json.mapper().readerFor(type), make);
    }

    /** The same as maps, keys in their order. */
    public static List<Map<String, Object>> readMaps(Path file) {
        ObjectReader reader = Json.mapper().readerFor(new TypeReference<Map<String, Object>>() {});
        return Jsonl.<Map<String, Object>, Map<String, Object>>read(file, reader, (value, where) -> value);
    }

    private static <T, R> List<R> read(Path file, ObjectReader reader, BiFunction<T, String, R> make) {
        List<R> all = new ArrayList<>();
        TextFile.lines(file, (text, number) -> {
            if (!text.isBlank()) {
                all.add(make.apply(parse(text, reader, file, number), file + ":" + number));
            }
        });
        return all;
    }

    /** The value of one line. */
    static <T> T parse(String text, ObjectReader reader, Path file, int number) {
        if (!text.stripLeading().startsWith("{")) {
            throw CalmException.badInput(file + ":" + number, "a line must be a JSON object, {…}");
        }
        TextFile.checkEscapes(text, file, number);
        try {
            return reader.readValue(text);
        } catch (JsonProcessingException e) {
            throw CalmException.badInput(file + ":" + number, JsonProblem.of(e), e);
        }
    }

    /**
     * Cuts from the end of a file, where there is one, what a process that was killed has written of a line.
     *
     * @throws CalmException bad input: the file may not be changed
     */
    public static void dropHalfLine(Path file) {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            long end = channel.size();
            ByteBuffer one = ByteBuffer.allocate(1);
            while (end > 0 && channel.read(one.clear(), end - 1) == 1 && one.get(0) != '\n') {
                end--;
            }
            if (end < channel.size()) {
                channel.truncate(end);
            }
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    /** Writes to a temporary file and renames it. */
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
