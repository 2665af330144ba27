package org.calm4j.engine.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * Tensors in files of the safetensors format: eight bytes of header length, a JSON header, the data. Read through a memory map, so that
 * opening costs nothing; a header is checked in full before any tensor is given out.
 */
public final class Safetensors implements AutoCloseable {
    private static final long MAX_HEADER = 100_000_000;
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    private record Entry(String name, DType type, long[] shape, long begin, long end) {
    }

    private final List<HostBuffer> buffers = new ArrayList<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private Safetensors() {
    }

    /** @throws CalmException bad input: no such file, or a broken one, naming the tensor */
    public static Safetensors open(Path file) {
        Safetensors opened = new Safetensors();
        opened.addOrClose(List.of(file));
        return opened;
    }

    /** The weights of a model folder: {@code model.safetensors}, or the shards that its index names. */
    public static Safetensors openFolder(Path folder) {
        Path index = folder.resolve(INDEX);
        Safetensors opened = new Safetensors();
        if (Files.exists(folder.resolve(SINGLE)) || !Files.exists(index)) {
            opened.addOrClose(List.of(folder.resolve(SINGLE)));
            return opened;
        }
        JsonNode map = Json.read(index, JsonNode.class).path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw CalmException.badInput(index, "weight_map is missing");
        }
        TreeSet<String> names = new TreeSet<>();
        map.forEach(name -> names.add(name.asText()));
        List<Path> shards = new ArrayList<>();
        for (String name : names) {
            if (!name.matches("[\\w.-]+") || name.startsWith(".")) {
                throw CalmException.badInput(index, "the shard \"" + name + "\" does not lie in the folder");
            }
            shards.add(folder.resolve(name));
        }
        opened.addOrClose(shards);
        map.fieldNames().forEachRemaining(name -> {
            if (!opened.tensors.containsKey(name)) {
                opened.close();
                throw CalmException.badInput(index, "tensor " + name + " is not in the shards");
            }
        });
        return opened;
    }

    private void addOrClose(List<Path> files) {
        try {
            for (Path file : files) {
                add(file);
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private void add(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size < 8) {
                throw CalmException.badInput(file, "not a safetensors file: shorter than 8 bytes");
            }
            Arena arena = Arena.ofShared();
            MemorySegment mapped;
            try {
                mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            } catch (IOException e) {
                arena.close();
                throw e;
            }
            HostBuffer buffer = new HostBuffer(mapped, arena);
            buffers.add(buffer);
            long header = mapped.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
            if (header < 2 || header > MAX_HEADER || header > size - 8) {
                throw CalmException.badInput(file, "not a safetensors file: its header would have " + Long.toUnsignedString(header)
                        + " bytes, the file has " + size);
            }
            byte[] json = mapped.asSlice(8, header).toArray(ValueLayout.JAVA_BYTE);
            for (Entry entry : entries(file, json, size - 8 - header)) {
                Tensor tensor = new Tensor(entry.name(), buffer, 8 + header + entry.begin(), entry.type(), entry.shape());
                if (tensors.put(entry.name(), tensor) != null) {
                    throw CalmException.badInput(file, "tensor " + entry.name() + " stands in two shards");
                }
            }
        } catch (IOException e) {
            throw Json.unreadable(file, e);
        }
    }

    private static List<Entry> entries(Path file, byte[] json, long dataBytes) {
        JsonNode header;
        try {
            header = Json.mapper().readTree(json);
        } catch (IOException e) {
            throw CalmException.badInput(file, "its header is not valid JSON", e);
        }
        if (header == null || !header.isObject()) {
            throw CalmException.badInput(file, "its header is not a JSON object");
        }
        List<Entry> entries = new ArrayList<>();
        for (Map.Entry<String, JsonNode> field : header.properties()) {
            if (!field.getKey().equals("__metadata__")) {
                entries.add(entry(file, field.getKey(), field.getValue(), dataBytes));
            }
        }
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long end = 0;
        for (Entry entry : entries) {
            if (entry.begin() != end) {
                throw CalmException.badInput(file, "tensor " + entry.name() + " begins at " + entry.begin() + ", the one before ends at " + end);
            }
            end = entry.end();
        }
        if (end != dataBytes) {
            throw CalmException.badInput(file, "the tensors end at " + end + ", the data has " + dataBytes + " bytes");
        }
        return entries;
    }

    private static Entry entry(Path file, String name, JsonNode node, long dataBytes) {
        String type = node.path("dtype").asText();
        JsonNode shapeNode = node.path("shape");
        JsonNode offsets = node.path("data_offsets");
        if (!List.of("F32", "F64", "BF16", "F16", "I32").contains(type)) {
            throw CalmException.badInput(file, "tensor " + name + " has dtype \"" + type + "\"; supported: F32, F64, BF16, F16, I32");
        }
        boolean numbers = shapeNode.isArray() && offsets.size() == 2 && offsets.path(0).isIntegralNumber() && offsets.path(1).isIntegralNumber();
        long[] shape = new long[shapeNode.size()];
        for (int i = 0; numbers && i < shape.length; i++) {
            numbers = shapeNode.get(i).isIntegralNumber() && shapeNode.get(i).canConvertToLong() && shapeNode.get(i).asLong() >= 0;
            shape[i] = shapeNode.get(i).asLong();
        }
        if (!numbers) {
            throw CalmException.badInput(file, "tensor " + name + ": shape and data_offsets must be whole numbers");
        }
        long begin = offsets.get(0).asLong(-1);
        long end = offsets.get(1).asLong(-1);
        long bytes;
        try {
            bytes = Math.multiplyExact(Tensor.product(shape), (long) DType.valueOf(type).bytes());
        } catch (ArithmeticException e) {
            throw CalmException.badInput(file, "tensor " + name + " has an impossible shape", e);
        }
        if (begin < 0 || end < begin || end > dataBytes || end - begin != bytes) {
            throw CalmException.badInput(file, "tensor " + name + " of " + bytes + " bytes lies at " + begin + " to " + end
                    + " of " + dataBytes + " bytes of data");
        }
        return new Entry(name, DType.valueOf(type), shape, begin, end);
    }

    /** Writes tensors, in their order; beside, synced, renamed. */
    public static void write(Path file, Collection<Tensor> tensors, Map<String, String> metadata) {
        ObjectNode header = JsonNodeFactory.instance.objectNode();
        ObjectNode meta = header.putObject("__metadata__");
        metadata.forEach(meta::put);
        long offset = 0;
        for (Tensor tensor : tensors) {
            ObjectNode node = header.putObject(tensor.name());
            node.put("dtype", tensor.type().name());
            ArrayNode shape = node.putArray("shape");
            for (long extent : tensor.shape()) {
                shape.add(extent);
            }
            node.putArray("data_offsets").add(offset).add(offset + tensor.bytes());
            offset += tensor.bytes();
        }
        byte[] json = Json.compact(header).getBytes(StandardCharsets.UTF_8);
        int padding = (8 - json.length % 8) % 8;
        AtomicFile.write(file, out -> {
            out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length + padding).array());
            out.write(json);
            out.write(" ".repeat(padding).getBytes(StandardCharsets.US_ASCII));
            for (Tensor tensor : tensors) {
                write(out, tensor);
            }
        });
    }

    private static void write(OutputStream out, Tensor tensor) throws IOException {
        byte[] bytes = new byte[(int) Math.min(tensor.bytes(), 1 << 20)];
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

    @Override
    public void close() {
        buffers.forEach(HostBuffer::close);
    }
}
