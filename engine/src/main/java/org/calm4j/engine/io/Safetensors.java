package org.calm4j.engine.io;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * Tensors in files of the safetensors format: eight bytes of header length, a JSON header, the data. Large ones are read through a memory map, so
 * that opening costs nothing; a header is checked in full before any tensor is given out.
 */
public final class Safetensors implements AutoCloseable {
    private static final long MAX_HEADER = 100_000_000;
    private static final int CHUNK = 1 << 20;
    /** Files up to this size are read, larger ones mapped. */
    private static final long READ = 256L << 20;

    private static volatile Path cutOff;

    private final List<HostBuffer> buffers = new ArrayList<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    /** Sizes of mapped files when they were opened. */
    private final Map<Path, Long> sizes = new LinkedHashMap<>();

    private final List<String> leftOut = new ArrayList<>();
    private final Predicate<String> passedOver;

    private Safetensors(Predicate<String> passedOver) {
        this.passedOver = passedOver;
    }

    /**
     * One file, or the shards that {@code FILE.index.json} names where there is no such file.
     *
     * @throws CalmException bad input: no such file, or a broken one, naming the tensor
     */
    public static Safetensors open(Path file) {
        return open(file, name -> false);
    }

    private static Safetensors open(Path file, Predicate<String> passedOver) {
        Safetensors opened = new Safetensors(passedOver);
        Path index = file.resolveSibling(file.getFileName() + Shards.INDEX_SUFFIX);
        try {
            if (!Files.exists(file) && Files.exists(index)) {
                opened.addShards(index);
            } else {
                opened.add(file);
            }
            return opened;
        } catch (RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    /** The weights of a model folder: {@code model.safetensors}, or the shards that its index names. */
    public static Safetensors openFolder(Path folder) {
        return open(folder.resolve(Shards.MODEL));
    }

    /**
     * The same without some tensors.
     *
     * @param passedOver names of unwanted tensors: not returned, and of any type that the format has
     */
    public static Safetensors openFolder(Path folder, Predicate<String> passedOver) {
        return open(folder.resolve(Shards.MODEL), passedOver);
    }

    private void addShards(Path index) {
        for (Map.Entry<String, Set<String>> shard : Shards.readIndex(index).entrySet()) {
            Set<String> found = add(index.resolveSibling(shard.getKey()));
            for (String name : shard.getValue()) {
                if (!found.contains(name) && !passedOver.test(name)) {
                    throw CalmException.badInput(index, "tensor " + name + " is not in " + shard.getKey());
                }
            }
        }
    }

    /** Returns the names of its tensors. */
    private Set<String> add(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size < 8) {
                throw CalmException.badInput(file, "not a safetensors file: shorter than 8 bytes");
            }
            Arena arena = Arena.ofShared();
            MemorySegment mapped;
            try {
                mapped = size <= READ
                        ? read(channel, file, size, arena)
                        : channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            } catch (IOException | RuntimeException e) {
                arena.close();
                throw e;
            }
            if (size > READ) {
                sizes.put(file, size);
            }
            HostBuffer buffer = new HostBuffer(mapped, arena);
            buffers.add(buffer);
            long header = mapped.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
            if (header < 2 || header > MAX_HEADER || header > size - 8) {
                throw CalmException.badInput(
                        file,
                        "not a safetensors file: its header would have " + Long.toUnsignedString(header)
                                + " bytes, the file has " + size);
            }
            byte[] json = mapped.asSlice(8, header).toArray(ValueLayout.JAVA_BYTE);
            Set<String> names = new HashSet<>();
            for (SafetensorsHeader.Entry entry : SafetensorsHeader.read(file, json, size - 8 - header, passedOver)) {
                names.add(entry.name());
                if (passedOver.test(entry.name())) {
                    leftOut.add(entry.name());
                    continue;
                }
                Tensor tensor =
                        new Tensor(entry.name(), buffer, 8 + header + entry.begin(), entry.type(), entry.shape());
                if (tensors.put(entry.name(), tensor) != null) {
                    throw CalmException.badInput(file, "tensor " + entry.name() + " is in two shards");
                }
            }
            return names;
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    /** The bytes of a small file: later changes of the file do not matter, as they would to mapped memory. */
    private static MemorySegment read(FileChannel channel, Path file, long size, Arena arena) throws IOException {
        MemorySegment bytes = arena.allocate(size, HostBuffer.ALIGNMENT);
        ByteBuffer to = bytes.asByteBuffer();
        while (to.hasRemaining()) {
            if (channel.read(to) < 0) {
                throw CalmException.badInput(
                        file, "became shorter while it was read; wait until it is written, and try again");
            }
        }
        return bytes;
    }

    /** A mapped file that was cut off while it was in use, which makes reading throw an {@link InternalError}; null where none was. */
    public static Path cutOff() {
        return cutOff;
    }

    private void lookForCutOff() {
        sizes.forEach((file, size) -> {
            try {
                if (!Files.exists(file) || Files.size(file) < size) {
                    cutOff = file;
                }
            } catch (IOException e) {
                cutOff = file;
            }
        });
    }

    /** Writes tensors in their order to a temporary file, syncs and renames it. */
    public static void write(Path file, Collection<Tensor> tensors, Map<String, String> metadata) {
        write(file, tensors, metadata, StoredType.KEPT, UnaryOperator.identity());
    }

    /**
     * The same, in another type: to nearest, ties to even.
     *
     * @param tensors in host memory where their type changes
     * @param content what is written in the place of a tensor, of the same shape, in its type or in the one that is written; memory that it
     *     made for this is freed
     */
    public static void write(
            Path file,
            Collection<Tensor> tensors,
            Map<String, String> metadata,
            StoredType as,
            UnaryOperator<Tensor> content) {
        byte[] header = SafetensorsHeader.write(tensors, metadata, as);
        AtomicFile.write(file, out -> {
            out.write(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(header.length)
                    .array());
            out.write(header);
            for (Tensor tensor : tensors) {
                Tensor written = content.apply(tensor);
                try {
                    if (as.of(tensor) == written.type()) {
                        write(out, written);
                    } else {
                        convert(out, written, as.of(tensor));
                    }
                } finally {
                    if (written != tensor) {
                        written.buffer().close();
                    }
                }
            }
        });
    }

    private static void convert(OutputStream out, Tensor tensor, DType type) throws IOException {
        int elements = (int) Math.min(Math.max(tensor.size(), 1), CHUNK / type.bytes());
        try (HostBuffer buffer = new HostBuffer((long) elements * type.bytes())) {
            Tensor chunk = new Tensor(tensor.name(), buffer, 0, type, elements);
            for (long at = 0; at < tensor.size(); at += elements) {
                int length = (int) Math.min(elements, tensor.size() - at);
                for (int i = 0; i < length; i++) {
                    chunk.set(i, tensor.get(at + i));
                }
                write(out, chunk.rows(0, length));
            }
        }
    }

    private static void write(OutputStream out, Tensor tensor) throws IOException {
        byte[] bytes = new byte[(int) Math.min(tensor.bytes(), CHUNK)];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment chunk = arena.allocate(bytes.length);
            for (long at = 0; at < tensor.bytes(); at += bytes.length) {
                int length = (int) Math.min(bytes.length, tensor.bytes() - at);
                tensor.buffer().read(tensor.offset() + at, chunk.asSlice(0, length));
                MemorySegment.copy(chunk, ValueLayout.JAVA_BYTE, 0, bytes, 0, length);
                out.write(bytes, 0, length);
            }
        }
    }

    /** By name, in the order of the file; valid until closed. */
    public Map<String, Tensor> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    /** Names of the tensors that were passed over, in the order of the file. */
    public List<String> leftOut() {
        return Collections.unmodifiableList(leftOut);
    }

    @Override
    public void close() {
        lookForCutOff();
        buffers.forEach(HostBuffer::close);
    }
}
