package org.calm4j.calm.run;

import com.fasterxml.jackson.core.type.TypeReference;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.ranks.Ranks;

/** Files that rank 0 has written, as other machines see them: a disk that they share may show them some seconds later. */
public final class SharedDisk {
    private static final int LOOKS = 600;
    private static final long MILLIS_BETWEEN = 100;

    private SharedDisk() {}

    /**
     * Returns when this rank sees what rank 0 sees.
     *
     * @param paths files, or folders of a model; only rank 0's count
     * @throws CalmException failed: after a minute there is still no such file here
     */
    public static void await(Ranks ranks, List<Path> paths) {
        if (ranks.size() == 1) {
            return;
        }
        Map<String, Long> there = new LinkedHashMap<>();
        if (ranks.isFirst()) {
            paths.forEach(path -> files(path).forEach(file -> there.put(file.toString(), size(file))));
        }
        byte[] told = ranks.broadcast(ranks.isFirst() ? Json.compact(there).getBytes(StandardCharsets.UTF_8) : null);
        try {
            Json.mapper()
                    .readValue(told, new TypeReference<Map<String, Long>>() {})
                    .forEach((file, size) -> await(Path.of(file), size));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Path> files(Path path) {
        if (!Files.isDirectory(path)) {
            return List.of(path);
        }
        try (Stream<Path> files = Files.list(path)) {
            return files.filter(Fingerprint::isOfModel).toList();
        } catch (IOException e) {
            throw CalmException.unreadable(path, e);
        }
    }

    private static void await(Path file, long size) {
        for (int look = 0; size(file) != size; look++) {
            if (look == LOOKS) {
                throw CalmException.failed(
                        file + " has " + size + " bytes for rank 0, and " + Math.max(0, size(file))
                                + " here; it must be on a disk that all machines share",
                        null);
            }
            try {
                Thread.sleep(MILLIS_BETWEEN);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw CalmException.failed("interrupted while waiting for " + file, e);
            }
        }
    }

    /** -1 where there is none. */
    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            return -1;
        }
    }
}
