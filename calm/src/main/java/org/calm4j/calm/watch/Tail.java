package org.calm4j.calm.watch;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** The new lines of a file that grows, and that may be replaced by another of the same name. */
final class Tail {
    /** The most that is read at once, and the longest line. */
    private static final int CHUNK = 1 << 20;

    /**
     * @param anew whether the lines are the first ones of another file
     * @param more whether there is more to read at once
     */
    record Lines(boolean anew, List<String> lines, boolean more) {}

    private static final Lines NOTHING = new Lines(false, List.of(), false);

    private final Path file;
    private Object key;
    private long position;
    private boolean begun;

    Tail(Path file) {
        this.file = file;
    }

    /** Whole lines that were not returned before; a line longer than a mebibyte is left out. */
    Lines next() throws IOException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            return NOTHING;
        }
        BasicFileAttributes now = Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        boolean anew = !begun || !Objects.equals(key, now.fileKey()) || now.size() < position;
        if (anew) {
            key = now.fileKey();
            position = 0;
            begun = true;
        }
        if (now.size() <= position) {
            return new Lines(anew, List.of(), false);
        }
        ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(CHUNK, now.size() - position));
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS)) {
            while (bytes.hasRemaining() && channel.read(bytes, position + bytes.position()) >= 0) {
                // Until the chunk is full.
            }
        }
        List<String> lines = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < bytes.position(); i++) {
            if (bytes.get(i) == '\n') {
                lines.add(new String(bytes.array(), from, i - from, StandardCharsets.UTF_8));
                from = i + 1;
            }
        }
        if (from == 0 && bytes.position() == CHUNK) {
            from = CHUNK;
        }
        position += from;
        return new Lines(anew, lines, from > 0 && position < now.size());
    }
}
