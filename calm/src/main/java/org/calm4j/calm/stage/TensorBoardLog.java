package org.calm4j.calm.stage;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.AtomicFile;

/**
 * An event file as TensorBoard reads it: records of TensorFlow's format (tensorflow/core/lib/io/record_writer.h), each an {@code Event} in
 * protocol buffers' encoding (event.proto and summary.proto of TensorBoard). Tags are those of transformers: {@code train/loss}, {@code eval/loss}.
 */
final class TensorBoardLog implements AutoCloseable {
    private static final String PREFIX = "events.out.tfevents.";
    private static final int MASK = 0xa282ead8;
    private static final int VARINT_BITS = 7;

    // Fields and their wire types, as protocol buffers write them: number << 3 | type.
    private static final int WALL_TIME = 1 << 3 | 1;
    private static final int STEP = 2 << 3;
    private static final int FILE_VERSION = 3 << 3 | 2;
    private static final int SUMMARY = 5 << 3 | 2;
    private static final int SESSION_LOG = 7 << 3 | 2;
    private static final int VALUE = 1 << 3 | 2;
    private static final int TAG = 1 << 3 | 2;
    private static final int SIMPLE_VALUE = 2 << 3 | 5;
    private static final byte[] START = {1 << 3, 1};

    private final Path file;
    /** Null before the first row. */
    private FileChannel channel;

    /** Makes a file in {@code runs} below the output, beside what a stopped run left there: TensorBoard reads both. */
    static TensorBoardLog below(Path output) {
        long now = System.currentTimeMillis();
        return new TensorBoardLog(output.resolve("runs")
                .resolve(PREFIX + now / 1000 + "." + ProcessHandle.current().pid() + ".calm4j"));
    }

    TensorBoardLog(Path file) {
        this.file = file;
    }

    /**
     * A line of metrics.jsonl; what is not a number is left out.
     *
     * @param seconds since 1970
     */
    void row(double seconds, int step, JsonNode row) {
        if (channel == null) {
            open(seconds, step);
        }
        ByteArrayOutputStream summary = new ByteArrayOutputStream();
        row.properties().forEach(field -> {
            if (field.getValue().isNumber() && !field.getKey().equals("step")) {
                ByteArrayOutputStream one = new ByteArrayOutputStream();
                bytes(one, TAG, tag(field.getKey()).getBytes(StandardCharsets.UTF_8));
                one.write(SIMPLE_VALUE);
                one.writeBytes(little(Float.BYTES)
                        .putFloat(field.getValue().floatValue())
                        .array());
                bytes(summary, VALUE, one.toByteArray());
            }
        });
        ByteArrayOutputStream event = event(seconds, step);
        bytes(event, SUMMARY, summary.toByteArray());
        record(event);
    }

    private void open(double seconds, int step) {
        AtomicFile.directories(file.toAbsolutePath().getParent());
        try {
            channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw CalmException.failed(
                    file + ": cannot be written (" + e.getClass().getSimpleName() + ")", e);
        }
        ByteArrayOutputStream version = event(seconds, 0);
        bytes(version, FILE_VERSION, "brain.Event:2".getBytes(StandardCharsets.UTF_8));
        record(version);
        // Steps from here on that an earlier file has were taken in vain, and are dropped by TensorBoard.
        ByteArrayOutputStream start = event(seconds, step);
        bytes(start, SESSION_LOG, START);
        record(start);
    }

    private static String tag(String key) {
        return key.startsWith("eval_") ? "eval/" + key.substring("eval_".length()) : "train/" + key;
    }

    private static ByteArrayOutputStream event(double seconds, int step) {
        ByteArrayOutputStream event = new ByteArrayOutputStream();
        event.write(WALL_TIME);
        event.writeBytes(little(Double.BYTES).putDouble(seconds).array());
        if (step != 0) {
            event.write(STEP);
            varint(event, step);
        }
        return event;
    }

    private static void bytes(ByteArrayOutputStream out, int field, byte[] bytes) {
        out.write(field);
        varint(out, bytes.length);
        out.writeBytes(bytes);
    }

    private static void varint(ByteArrayOutputStream out, int value) {
        int rest = value;
        while (rest >>> VARINT_BITS != 0) {
            out.write(rest & 0x7f | 0x80);
            rest >>>= VARINT_BITS;
        }
        out.write(rest);
    }

    private static ByteBuffer little(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Length, its checksum, the event, its checksum. */
    private void record(ByteArrayOutputStream event) {
        byte[] data = event.toByteArray();
        byte[] length = little(Long.BYTES).putLong(data.length).array();
        ByteBuffer bytes = little(Long.BYTES + Integer.BYTES + data.length + Integer.BYTES)
                .put(length)
                .putInt(checksum(length))
                .put(data)
                .putInt(checksum(data))
                .flip();
        try {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw CalmException.failed(file + ": writing failed (" + e.getMessage() + "); is the disk full?", e);
        }
    }

    /** CRC-32C, turned and shifted so that the checksum of what has checksums in it is one as well. */
    private static int checksum(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return Integer.rotateRight((int) crc.getValue(), 15) + MASK;
    }

    @Override
    public void close() {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            throw CalmException.failed(file + ": " + e.getMessage(), e);
        }
    }
}
