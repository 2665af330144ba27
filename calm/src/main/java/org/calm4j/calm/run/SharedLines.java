package org.calm4j.calm.run;

import com.fasterxml.jackson.databind.JavaType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.IntConsumer;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.ranks.HandOut;
import org.calm4j.engine.ranks.Ranks;

/**
 * Lines that all ranks make, in parts, into one file, which rank 0 writes: the same bytes for any number of ranks, because a part does not
 * depend on who makes it.
 *
 * @param <T> a line
 */
public final class SharedLines<T> implements HandOut.Work<List<T>> {
    /** Makes the lines of a part. */
    @FunctionalInterface
    public interface Maker<T> {
        /**
         * @param first number of the first line
         * @param end number of the line after the last one
         * @param done receives how many of them are done
         */
        List<T> make(int first, int end, IntConsumer done);
    }

    private final PartialLines.Plan plan;
    private final Class<T> type;
    private final Maker<T> maker;
    private final Progress progress;
    /** Where parts are kept; null where they are not: on other ranks than 0, and without a file. */
    private final PartialLines<T> lines;

    private final SortedMap<Integer, List<T>> parts = new TreeMap<>();
    private int made;
    private int underWay;

    private SharedLines(
            PartialLines.Plan plan, Class<T> type, Maker<T> maker, Progress progress, PartialLines<T> lines) {
        this.plan = plan;
        this.type = type;
        this.maker = maker;
        this.progress = progress;
        this.lines = lines;
        made = lines == null ? 0 : lines.made();
    }

    /**
     * Writes the file; returns its lines on rank 0, nothing on the others.
     *
     * @param resume whether to continue a stopped run of the same plan
     * @param task what progress is called
     */
    public static <T> List<T> make(
            Ranks ranks,
            Path output,
            Class<T> type,
            PartialLines.Plan plan,
            boolean resume,
            Progress progress,
            String task,
            Maker<T> maker) {
        if (!ranks.isFirst()) {
            return new SharedLines<>(plan, type, maker, Progress.NONE, null).run(ranks, task);
        }
        try (PartialLines<T> lines = PartialLines.open(output, type, plan, resume, progress::say)) {
            new SharedLines<>(plan, type, maker, progress, lines).run(ranks, task);
            return lines.finish();
        }
    }

    /** The same without a file. */
    public static <T> List<T> make(
            Ranks ranks, Class<T> type, PartialLines.Plan plan, Progress progress, String task, Maker<T> maker) {
        return new SharedLines<>(plan, type, maker, progress, null).run(ranks, task);
    }

    private List<T> run(Ranks ranks, String task) {
        progress.start(task, plan.lines(), made);
        try {
            HandOut.run(ranks, lines == null ? plan.all() : lines.missing(), this);
            return parts.values().stream().flatMap(List::stream).toList();
        } finally {
            progress.end();
        }
    }

    @Override
    public List<T> make(int part) {
        if (lines != null) {
            progress.mayStop("stopped after " + made + " of " + plan.lines() + " questions");
        }
        List<T> done = maker.make(plan.first(part), plan.end(part), this::advance);
        synchronized (this) {
            underWay = 0;
        }
        return done;
    }

    private synchronized void advance(int done) {
        underWay = done;
        progress.at(made + underWay, "");
    }

    @Override
    public synchronized void take(int part, List<T> done) {
        if (lines != null) {
            lines.add(part, done);
        } else {
            parts.put(part, done);
        }
        made += done.size();
        progress.at(made + underWay, "");
    }

    @Override
    public byte[] pack(List<T> made) {
        return Json.compact(made).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public List<T> unpack(byte[] bytes) {
        JavaType list = Json.mapper().getTypeFactory().constructCollectionType(List.class, type);
        try {
            return Json.mapper().readValue(bytes, list);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
