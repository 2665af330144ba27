package org.calm4j.calm.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.OutputLock;
import org.calm4j.engine.model.CausalLm;

/**
 * A file of lines that take long to make. The lines made so far are kept beside it, synced, so that a killed run continues there; the file
 * itself appears at the end, whole, with the same bytes as without a stop. For a device or a pipe nothing is kept.
 *
 * @param <T> a line
 */
public final class PartialLines<T> implements AutoCloseable {
    private static final Setting RESUME = Setting.of("resume");
    /** Approximate product of weights and sequences of a part. */
    private static final long WEIGHTS = 1L << 31;

    private static final String BEGINNING = "{\"key\":\"";

    private record Key(String key) {}

    private final Path output;
    private final Path partial;
    private final Class<T> type;
    private final List<T> lines = new ArrayList<>();
    /** Null if nothing is kept. */
    private final FileChannel channel;

    private final OutputLock lock;

    private PartialLines(Path output, Class<T> type, String key, int part, boolean resume, Consumer<String> say) {
        this.output = output;
        this.type = type;
        partial = of(output);
        if (AtomicFile.isStream(output)) {
            if (resume) {
                throw CalmException.badInput(
                        output,
                        "is not a regular file, so a stopped run left nothing there to ",
                        RESUME,
                        "; give a file");
            }
            channel = null;
            lock = null;
            return;
        }
        AtomicFile.directories(partial.getParent());
        lock = OutputLock.beside(output, say);
        try {
            refuseForeign(partial);
            long kept = resume && Files.exists(partial) ? read(key, part) : 0;
            channel = FileChannel.open(partial, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            channel.truncate(kept);
            channel.position(kept);
            if (kept == 0) {
                write(List.of(new Key(key)));
            }
        } catch (IOException e) {
            lock.close();
            throw CalmException.badInput(
                            partial,
                            "cannot be written (" + e.getClass().getSimpleName() + "); choose another ",
                            Setting.OUTPUT)
                    .because(e);
        } catch (RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /** Removes the partial file of a stopped run. */
    public static void delete(Path output) {
        Path partial = of(output);
        try {
            refuseForeign(partial);
            Files.deleteIfExists(partial);
        } catch (IOException e) {
            throw CalmException.badInput(
                    partial, "cannot be removed (" + e.getClass().getSimpleName() + ")", e);
        }
    }

    /** A partial file begins with its key, or with a part of it after a kill. */
    private static boolean isForeign(Path partial) throws IOException {
        if (!Files.exists(partial, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        if (!Files.isRegularFile(partial, LinkOption.NOFOLLOW_LINKS)) {
            return true;
        }
        try (InputStream in = Files.newInputStream(partial)) {
            return !BEGINNING.startsWith(new String(in.readNBytes(BEGINNING.length()), StandardCharsets.UTF_8));
        }
    }

    /** A file in the place of the partial output that was not left by a stopped run; null without one. */
    public static Path foreign(Path output) {
        try {
            return isForeign(of(output)) ? of(output) : null;
        } catch (IOException e) {
            return of(output);
        }
    }

    private static void refuseForeign(Path partial) throws IOException {
        if (isForeign(partial)) {
            throw CalmException.badInput(
                    partial, "is in the way and was not left by a stopped run; move it away, or choose another output");
        }
    }

    /** How many sequences are made at a time; depends on the model alone, because the last bits of a product depend on its shape. */
    public static int part(CausalLm model, int fewest, int most) {
        return Math.clamp(WEIGHTS / model.config().parameters(), fewest, most);
    }

    /**
     * @param key of all that decides the lines
     * @param part lines that are added at a time: lines made together are kept together
     * @param resume whether to continue a stopped run of the same key
     * @param say receives messages for the user
     * @throws CalmException bad input: the partial file was made with another key; failed: another process is writing there
     */
    public static <T> PartialLines<T> open(
            Path output, Class<T> type, String key, int part, boolean resume, Consumer<String> say) {
        return new PartialLines<>(output, type, key, part, resume, say);
    }

    /** The partial file of a run under way. */
    public static Path of(Path output) {
        Path absolute = output.toAbsolutePath();
        return absolute.resolveSibling("." + absolute.getFileName() + AtomicFile.PARTIAL);
    }

    // Returns the bytes of complete parts: the last one may have been cut off.
    private long read(String key, int part) throws IOException {
        byte[] bytes = Files.readAllBytes(partial);
        List<T> whole = new ArrayList<>();
        int from = 0;
        int kept = 0;
        for (int end = 0; end < bytes.length; end++) {
            if (bytes[end] == '\n') {
                JsonNode line = parse(bytes, from, end);
                if (from > 0) {
                    whole.add(Json.mapper().treeToValue(line, type));
                } else if (!key.equals(line.path("key").asText())) {
                    throw CalmException.badInput(
                            partial,
                            "was begun with other questions, prompts or settings; start again without ",
                            RESUME);
                }
                from = end + 1;
                if (whole.size() % part == 0) {
                    kept = from;
                    lines.addAll(whole.subList(lines.size(), whole.size()));
                }
            }
        }
        return kept;
    }

    private JsonNode parse(byte[] bytes, int from, int end) throws IOException {
        try {
            return Json.mapper().readTree(bytes, from, end - from);
        } catch (JsonProcessingException e) {
            throw CalmException.badInput(partial, "is broken; start again without ", RESUME)
                    .because(e);
        }
    }

    /** The lines made so far. */
    public List<T> lines() {
        return lines;
    }

    /** Appends lines durably: they survive a crash. */
    public void add(List<T> more) {
        try {
            write(more);
        } catch (IOException e) {
            throw CalmException.failed(partial + ": writing failed (" + e.getMessage() + "); is the disk full?", e);
        }
        lines.addAll(more);
    }

    private void write(List<?> more) throws IOException {
        if (channel == null) {
            return;
        }
        StringBuilder text = new StringBuilder();
        more.forEach(line -> text.append(Json.compact(line)).append('\n'));
        ByteBuffer bytes = ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        channel.force(false);
    }

    /** Writes the file once all lines are there. */
    public List<T> finish() {
        Jsonl.write(output, lines);
        if (channel == null) {
            return lines;
        }
        try {
            Files.deleteIfExists(partial);
        } catch (IOException e) {
            throw CalmException.failed(partial + ": cannot be removed (" + e.getMessage() + ")", e);
        }
        close();
        return lines;
    }

    @Override
    public void close() {
        if (channel == null) {
            return;
        }
        try {
            channel.close();
        } catch (IOException e) {
            throw CalmException.failed(partial + ": " + e.getMessage(), e);
        } finally {
            lock.close();
        }
    }
}
