package org.calm4j.engine.io;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import it.unimi.dsi.fastutil.longs.LongArrayList;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * The JSON header of a safetensors file: {@code {"name": {"dtype", "shape", "data_offsets"}, …, "__metadata__": {…}}}. Read token by token,
 * so that a large one takes no more memory than its tensors, and checked in full: the tensors follow one another and fill the data.
 */
final class SafetensorsHeader {
    private static final String METADATA = "__metadata__";
    private static final int MAX_RANK = 32;
    private static final int MAX_NAME = 1000;

    /**
     * @param type null for a tensor that is passed over
     * @param begin of its bytes in the data, which follow the header
     */
    record Entry(String name, DType type, long[] shape, long begin, long end) {}

    /** Bytes of an element of the format's other types, which tensors that are passed over may have. */
    private static final Map<String, Integer> OTHER_TYPES = Map.ofEntries(
            Map.entry("BOOL", 1),
            Map.entry("U8", 1),
            Map.entry("I8", 1),
            Map.entry("F8_E4M3", 1),
            Map.entry("F8_E5M2", 1),
            Map.entry("F8_E8M0", 1),
            Map.entry("U16", 2),
            Map.entry("I16", 2),
            Map.entry("U32", 4),
            Map.entry("U64", 8),
            Map.entry("I64", 8),
            Map.entry("C64", 8));

    private final Path file;
    private final long dataBytes;
    private final Predicate<String> passedOver;

    private SafetensorsHeader(Path file, long dataBytes, Predicate<String> passedOver) {
        this.file = file;
        this.dataBytes = dataBytes;
        this.passedOver = passedOver;
    }

    /**
     * The tensors in the order of their data.
     *
     * @param passedOver names of tensors that may be of any type
     * @throws CalmException bad input: what is wrong, with the tensor's name
     */
    static List<Entry> read(Path file, byte[] json, long dataBytes, Predicate<String> passedOver) {
        if (json[0] != '{') {
            throw CalmException.badInput(file, "its header is not a JSON object");
        }
        try (JsonParser parser = Json.mapper().createParser(json)) {
            return new SafetensorsHeader(file, dataBytes, passedOver).entries(parser);
        } catch (JsonProcessingException e) {
            throw CalmException.badInput(file, "its JSON header: " + JsonProblem.of(e), e);
        } catch (IOException e) {
            throw CalmException.badInput(file, "its header is not valid JSON", e);
        }
    }

    private List<Entry> entries(JsonParser parser) throws IOException {
        List<Entry> entries = new ArrayList<>();
        parser.nextToken();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            if (name.length() > MAX_NAME || name.chars().anyMatch(Character::isISOControl)) {
                throw CalmException.badInput(
                        file, "a tensor's name is longer than " + MAX_NAME + " or has control characters");
            }
            JsonToken value = parser.nextToken();
            if (name.equals(METADATA) && value == JsonToken.VALUE_NULL) {
                continue;
            }
            if (value != JsonToken.START_OBJECT) {
                throw CalmException.badInput(file, name + " in the header is not a JSON object");
            }
            if (name.equals(METADATA)) {
                skipStrings(parser);
            } else {
                entries.add(entry(name, parser));
            }
        }
        if (parser.currentToken() != JsonToken.END_OBJECT || parser.nextToken() != null) {
            throw CalmException.badInput(file, "its header is not one JSON object");
        }
        entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long end = 0;
        for (Entry entry : entries) {
            if (entry.begin() != end) {
                throw CalmException.badInput(
                        file,
                        "tensor " + entry.name() + " begins at " + entry.begin() + ", the one before ends at " + end);
            }
            end = entry.end();
        }
        if (end != dataBytes) {
            throw CalmException.badInput(file, "the tensors end at " + end + ", the data has " + dataBytes + " bytes");
        }
        return entries;
    }

    private void skipStrings(JsonParser parser) throws IOException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            if (parser.nextToken() != JsonToken.VALUE_STRING) {
                throw CalmException.badInput(file, METADATA + " may hold strings only");
            }
        }
    }

    private Entry entry(String name, JsonParser parser) throws IOException {
        String dtype = null;
        long[] shape = null;
        long[] offsets = null;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String field = parser.currentName();
            parser.nextToken();
            switch (field) {
                case "dtype" -> dtype = parser.currentToken() == JsonToken.VALUE_STRING ? parser.getText() : null;
                case "shape" -> shape = wholeNumbers(name, parser);
                case "data_offsets" -> offsets = wholeNumbers(name, parser);
                default -> parser.skipChildren();
            }
        }
        if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
            throw CalmException.badInput(file, "tensor " + name + " needs dtype, shape and two data_offsets");
        }
        Integer other = passedOver.test(name) ? OTHER_TYPES.get(dtype) : null;
        DType type = other == null ? type(name, dtype) : null;
        long bytes;
        try {
            bytes = Math.multiplyExact(Tensor.product(shape), other == null ? (long) type.bytes() : other);
        } catch (ArithmeticException e) {
            throw CalmException.badInput(
                    file, "tensor " + name + " has an impossible shape, " + Arrays.toString(shape), e);
        }
        if (offsets[1] < offsets[0] || offsets[1] > dataBytes || offsets[1] - offsets[0] != bytes) {
            throw CalmException.badInput(
                    file,
                    "tensor " + name + " of " + bytes + " bytes is at " + offsets[0] + " to " + offsets[1] + " of "
                            + dataBytes + " bytes of data");
        }
        return new Entry(name, type, shape, offsets[0], offsets[1]);
    }

    private DType type(String name, String dtype) {
        for (DType type : DType.values()) {
            if (type.name().equals(dtype)) {
                return type;
            }
        }
        throw CalmException.badInput(
                file,
                "tensor " + name + " has dtype \"" + dtype.replaceAll("[^\\w.-]", "?") + "\"; supported: "
                        + Arrays.stream(DType.values()).map(Enum::name).collect(Collectors.joining(", ")));
    }

    private long[] wholeNumbers(String name, JsonParser parser) throws IOException {
        boolean valid = parser.currentToken() == JsonToken.START_ARRAY;
        LongArrayList numbers = new LongArrayList();
        while (valid && parser.nextToken() != JsonToken.END_ARRAY) {
            valid = parser.currentToken() == JsonToken.VALUE_NUMBER_INT
                    && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER
                    && parser.getLongValue() >= 0
                    && numbers.size() < MAX_RANK;
            numbers.add(valid ? parser.getLongValue() : -1);
        }
        if (!valid) {
            throw CalmException.badInput(
                    file, "tensor " + name + ": shape and data_offsets must be lists of whole numbers");
        }
        return numbers.toLongArray();
    }

    /**
     * The header of tensors that are stored one after the other, padded with spaces to a multiple of eight bytes.
     *
     * @param as the type a tensor is stored in
     */
    static byte[] write(Collection<Tensor> tensors, Map<String, String> metadata, StoredType as) {
        ObjectNode header = JsonNodeFactory.instance.objectNode();
        ObjectNode meta = header.putObject(METADATA);
        metadata.forEach(meta::put);
        long offset = 0;
        for (Tensor tensor : tensors) {
            ObjectNode node = header.putObject(tensor.name());
            node.put("dtype", as.of(tensor).name());
            ArrayNode shape = node.putArray("shape");
            for (long extent : tensor.shape()) {
                shape.add(extent);
            }
            node.putArray("data_offsets").add(offset).add(offset + as.bytes(tensor));
            offset += as.bytes(tensor);
        }
        byte[] json = Json.compact(header).getBytes(StandardCharsets.UTF_8);
        byte[] padded = Arrays.copyOf(json, json.length + 7 & -8);
        Arrays.fill(padded, json.length, padded.length, (byte) ' ');
        return padded;
    }
}
