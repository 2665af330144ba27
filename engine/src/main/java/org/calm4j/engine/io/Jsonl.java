package org.calm4j.engine.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.calm4j.engine.CalmException;

/** JSON Lines: one object a line, UTF-8. */
public final class Jsonl {
    /** Bytes at the end of a file in which a half line begins. */
    private static final long LONGEST_HALF = 1 << 24;

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
     * Cuts from the end of a file, where there is one, what a process that was killed has written of a line. A whole line without a line break
     * stays.
     *
     * @throws CalmException bad input: the file may not be changed
     */
    public static void dropHalfLine(Path file) {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer end = ByteBuffer.allocate((int) Math.min(channel.size(), LONGEST_HALF));
            long start = channel.size() - end.capacity();
            while (end.hasRemaining() && channel.read(end, start + end.position()) > 0) {}
            String text = new String(end.array(), StandardCharsets.ISO_8859_1);
            int line = text.lastIndexOf('\n') + 1;
            boolean begins = line > 0 || start == 0;
            if (begins && line < text.length() && !isWhole(Arrays.copyOfRange(end.array(), line, text.length()))) {
                channel.truncate(start + line);
            }
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    private static boolean isWhole(byte[] line) {
        try {
            return Json.mapper().readTree(line).isObject();
        } catch (IOException e) {
            return false;
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
