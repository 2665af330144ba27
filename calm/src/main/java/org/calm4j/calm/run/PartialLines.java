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
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.OutputLock;
import org.calm4j.engine.model.CausalLm;

/**
 * A file of lines that take long to make, in numbered parts in any order. Those made so far are kept beside it, synced, so that a killed run
 * makes only the others; the file itself appears at the end, whole, with the same bytes as without a stop. For a device or a pipe nothing is
 * kept.
 *
 * @param <T> a line
 */
public final class PartialLines<T> implements AutoCloseable {
    private static final Setting RESUME = Setting.of("resume");
    /** Approximate product of weights and sequences of a part. */
    private static final long WEIGHTS = 1L << 31;

    /** A GPU reads all weights for every token of however few sequences, and a part ends with its longest one. */
    private static final int ENOUGH_FOR_A_GPU = 512;

    private static final String BEGINNING = "{\"key\":\"";

    /**
     * How a file is made.
     *
     * @param key of all that decides the lines
     * @param size lines of a part, but for the last one: lines made together are kept together
     * @param lines of the file
     */
    public record Plan(String key, int size, int lines) {
        int parts() {
            return (lines + size - 1) / size;
        }

        /** The numbers of all parts, in order. */
        List<Integer> all() {
            return IntStream.range(0, parts()).boxed().toList();
        }

        /** The number of a part's first line. */
        int first(int part) {
            return part * size;
        }

        /** The number of the line after a part. */
        int end(int part) {
            return Math.min(lines, (part + 1) * size);
        }
    }

    /** Stands before the lines of a part. */
    private record Head(int part) {}

    private final Path output;
    private final Path partial;
    private final Class<T> type;
    private final Plan plan;
    private final SortedMap<Integer, List<T>> parts = new TreeMap<>();
    /** Null if nothing is kept. */
    private final FileChannel channel;

    private final OutputLock lock;

    private PartialLines(Path output, Class<T> type, Plan plan, boolean resume, Consumer<String> say) {
        this.output = output;
        this.type = type;
        this.plan = plan;
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
            long kept = resume && Files.exists(partial) ? read() : 0;
            channel = FileChannel.open(partial, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            channel.truncate(kept);
            channel.position(kept);
            if (kept == 0) {
                write(List.of(plan));
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

    /**
     * How many sequences are made at a time; depends on the model and the kind of device alone, because the last bits of a product depend on
     * its shape.
     */
    public static int part(CausalLm model, int fewest, int most) {
        int enough = model.backend().onHost() ? fewest : Math.min(most, Math.max(fewest, ENOUGH_FOR_A_GPU));
        return Math.clamp(WEIGHTS / model.config().parameters(), enough, most);
    }

    /**
     * @param resume whether to continue a stopped run of the same plan
     * @param say receives messages for the user
     * @throws CalmException bad input: the partial file was made with another plan; failed: another process is writing there
     */
    public static <T> PartialLines<T> open(
            Path output, Class<T> type, Plan plan, boolean resume, Consumer<String> say) {
        return new PartialLines<>(output, type, plan, resume, say);
    }

    /** The partial file of a run under way. */
    public static Path of(Path output) {
        Path absolute = output.toAbsolutePath();
        return absolute.resolveSibling("." + absolute.getFileName() + AtomicFile.PARTIAL);
    }

    // Returns the bytes of complete parts: the last one may have been cut off.
    private long read() throws IOException {
        byte[] bytes = Files.readAllBytes(partial);
        List<T> whole = new ArrayList<>();
        int part = -1;
        int from = 0;
        int kept = 0;
        for (int end = 0; end < bytes.length; end++) {
            if (bytes[end] != '\n') {
                continue;
            }
            JsonNode line = parse(bytes, from, end);
            if (from == 0) {
                if (!Json.mapper().valueToTree(plan).equals(line)) {
                    throw CalmException.badInput(
                            partial,
                            "was begun with other questions, prompts or settings; start again without ",
                            RESUME);
                }
            } else if (part < 0) {
                part = Json.mapper().treeToValue(line, Head.class).part();
                if (part < 0 || part >= plan.parts()) {
                    throw broken(null);
                }
            } else {
                whole.add(Json.mapper().treeToValue(line, type));
            }
            from = end + 1;
            if (part >= 0 && whole.size() == plan.end(part) - plan.first(part)) {
                parts.put(part, List.copyOf(whole));
                whole.clear();
                part = -1;
                kept = from;
            }
        }
        return kept;
    }

    private JsonNode parse(byte[] bytes, int from, int end) throws IOException {
        try {
            return Json.mapper().readTree(bytes, from, end - from);
        } catch (JsonProcessingException e) {
            throw broken(e);
        }
    }

    private CalmException broken(IOException e) {
        return CalmException.badInput(partial, "is broken; start again without ", RESUME)
                .because(e);
    }

    /** The parts that are still to make, in order. */
    public List<Integer> missing() {
        return plan.all().stream().filter(part -> !parts.containsKey(part)).toList();
    }

    /** How many lines are made. */
    public int made() {
        return parts.values().stream().mapToInt(List::size).sum();
    }

    /** Appends a part durably: it survives a crash. */
    public void add(int part, List<T> lines) {
        List<Object> all = new ArrayList<>(lines);
        all.addFirst(new Head(part));
        try {
            write(all);
        } catch (IOException e) {
            throw CalmException.failed(partial + ": writing failed (" + e.getMessage() + "); is the disk full?", e);
        }
        parts.put(part, lines);
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
        List<T> lines = parts.values().stream().flatMap(List::stream).toList();
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
