package org.calm4j.engine.io;

import com.fasterxml.jackson.databind.JsonNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import it.unimi.dsi.fastutil.longs.LongArrayList;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.zip.CRC32C;
import org.calm4j.engine.CalmException;

/**
 * Where each line of a JSON Lines file is, so that it can be read again without the others: 20 bytes of memory a line. A file that has changed
 * since is bad input.
 */
public final class LineIndex {
    private final Path file;
    private final Version version;
    private final LongArrayList offsets = new LongArrayList();
    private final IntArrayList lengths = new IntArrayList();
    private final IntArrayList numbers = new IntArrayList();
    private final IntArrayList checksums = new IntArrayList();

    private record Version(long size, FileTime modified) {
        static Version of(Path file) {
            try {
                BasicFileAttributes now = Files.readAttributes(file, BasicFileAttributes.class);
                return new Version(now.size(), now.lastModifiedTime());
            } catch (IOException e) {
                throw CalmException.unreadable(file, e);
            }
        }
    }

    /** @throws CalmException bad input: missing, not UTF-8, or changed while it is read */
    public LineIndex(Path file) {
        this.file = file;
        version = Version.of(file);
        TextFile.scan(file, (bytes, offset, number) -> {
            if (!TextFile.decoded(bytes, file, number).isBlank()) {
                offsets.add(offset);
                lengths.add(bytes.length);
                numbers.add(number);
                checksums.add(checksum(bytes));
            }
        });
        if (!Version.of(file).equals(version)) {
            throw changed(file);
        }
    }

    /** Lines that are not empty. */
    public int size() {
        return offsets.size();
    }

    /** A line's place, as {@code file:line}. */
    public String where(int line) {
        return file + ":" + numbers.getInt(line);
    }

    /** @throws CalmException bad input: not an object, or the file has changed */
    public JsonNode json(int line) {
        byte[] bytes = new byte[lengths.getInt(line)];
        if (!Version.of(file).equals(version)) {
            throw changed(file);
        }
        try (SeekableByteChannel in = Files.newByteChannel(file)) {
            in.position(offsets.getLong(line));
            ByteBuffer to = ByteBuffer.wrap(bytes);
            while (to.hasRemaining() && in.read(to) >= 0) {
                // A read may give less than there is.
            }
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
        if (checksum(bytes) != checksums.getInt(line)) {
            throw changed(where(line));
        }
        return Jsonl.parse(
                TextFile.decoded(bytes, file, numbers.getInt(line)),
                Json.mapper().readerFor(JsonNode.class),
                file,
                numbers.getInt(line));
    }

    private static int checksum(byte[] bytes) {
        CRC32C checksum = new CRC32C();
        checksum.update(bytes);
        return (int) checksum.getValue();
    }

    private static CalmException changed(Object where) {
        return CalmException.badInput(
                where,
                "has changed since its lines were first read; a file that is streamed must stay as it is until the end");
    }
}
