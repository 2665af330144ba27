package org.calm4j.engine.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SafetensorsTest {
    @TempDir
    private Path folder;

    @Test
    void whatIsWrittenIsReadBackBitEqual() {
        Path file = folder.resolve("model.safetensors");
        try (Slab slab = new Slab.Plan()
                .add("a", DType.F32, 3, 5)
                .add("b", DType.BF16, 7)
                .add("c", DType.F64, 1, 1)
                .add("d", DType.F16, 0)
                .allocate(HostBuffer::new)) {
            for (Tensor tensor : slab.tensors()) {
                for (int i = 0; i < tensor.size(); i++) {
                    tensor.set(i, Math.sin(i + 1) * Math.pow(10, i));
                }
            }
            slab.get("a").set(0, Double.NaN);
            Safetensors.write(file, slab.tensors(), Map.of("format", "pt"));
            try (Safetensors read = Safetensors.openFolder(folder)) {
                assertThat(read.tensors().keySet()).containsExactly("a", "b", "c", "d");
                for (Tensor tensor : slab.tensors()) {
                    Tensor other = read.tensors().get(tensor.name());
                    assertThat(other.shape()).isEqualTo(tensor.shape());
                    assertThat(other.type()).isEqualTo(tensor.type());
                    assertThat(other.segment().mismatch(tensor.segment())).isEqualTo(-1);
                }
            }
        }
    }

    /** As the format's own library reads it. */
    @Test
    void metadataMayBeNull() throws IOException {
        byte[] header = "{\"__metadata__\":null,\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
                .getBytes(StandardCharsets.UTF_8);
        Path file = Files.write(
                folder.resolve("model.safetensors"),
                ByteBuffer.allocate(12 + header.length)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(header.length)
                        .put(header)
                        .putFloat(2)
                        .array());
        try (Safetensors read = Safetensors.open(file)) {
            assertThat(read.tensors().get("a").get(0)).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} | 4  | is at
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} | 12 | end at 8
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}} | 12 | begins at 4
            {"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}} | 8  | tensor a
            {"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}} | 8  | whole numbers
            {"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}} | 8  | impossible
            {"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}} | 8  | Q4
            {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}} | 8  | JSON
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} | 8  | begins at 0
            [1,2] | 0  | object
            {"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551616,18446744073709551620]}} | 4  | whole numbers
            {"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}} | 4  | JSON
            {"a":{"dtype":"F32","shape":[1],"dtype":"F16","data_offsets":[0,4]}} | 4  | JSON
            {"__metadata__":{"format":1},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} | 4  | strings
            {"a\\nb":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} | 4  | control
            {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} {} | 4  | one JSON object
            """)
    void brokenFilesAreNamed(String header, int dataBytes, String message) throws IOException {
        Path file = write(header.getBytes(StandardCharsets.UTF_8).length, header, dataBytes);
        assertThatThrownBy(() -> Safetensors.open(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(message)
                .hasMessageContaining("broken.safetensors");
    }

    @Test
    void lyingHeaderLengthsAndTruncatedFiles() throws IOException {
        for (long length : List.of(-1L, 0L, 1L << 40, 99L)) {
            Path file = write(length, "{}", 0);
            assertThatThrownBy(() -> Safetensors.open(file))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("not a safetensors file");
        }
        Path file = folder.resolve("short.safetensors");
        Files.write(file, new byte[5]);
        assertThatThrownBy(() -> Safetensors.open(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("8 bytes");
        assertThatThrownBy(() -> Safetensors.open(folder.resolve("none")))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("no such file");
    }

    @Test
    void shardsStayInTheFolder() throws IOException {
        Files.writeString(
                folder.resolve("model.safetensors.index.json"), "{\"weight_map\":{\"a\":\"../secret.safetensors\"}}");
        assertThatThrownBy(() -> Safetensors.openFolder(folder))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("folder");
    }

    @Test
    void shardsAreReadBackAndReplaceOneAnother() throws IOException {
        try (Slab slab = new Slab.Plan()
                .add("a", DType.F32, 3, 5)
                .add("b", DType.BF16, 7)
                .add("c", DType.F32, 2)
                .add("d", DType.F16, 0)
                .allocate(HostBuffer::new)) {
            slab.tensors()
                    .forEach(tensor -> IntStream.range(0, (int) tensor.size()).forEach(i -> tensor.set(i, i + 0.5)));
            Shards.write(folder, slab.tensors(), StoredType.KEPT, 20);
            assertThat(files())
                    .containsExactly(
                            "model-00001-of-00003.safetensors",
                            "model-00002-of-00003.safetensors",
                            "model-00003-of-00003.safetensors",
                            "model.safetensors.index.json");
            JsonNode index = Json.read(folder.resolve("model.safetensors.index.json"), JsonNode.class);
            assertThat(index.path("metadata").path("total_size").asInt()).isEqualTo(60 + 14 + 8);
            assertThat(index.path("weight_map").path("b").asText()).isEqualTo("model-00002-of-00003.safetensors");
            same(slab);
            Shards.write(folder, slab.tensors(), StoredType.KEPT, 70);
            assertThat(files())
                    .containsExactly(
                            "model-00001-of-00002.safetensors",
                            "model-00002-of-00002.safetensors",
                            "model.safetensors.index.json");
            same(slab);
            Shards.write(folder, slab.tensors(), StoredType.KEPT, Shards.DEFAULT_MAX_BYTES);
            assertThat(files()).containsExactly("model.safetensors");
            same(slab);
        }
    }

    /** Whatever step a crash comes after: the old weights, the new ones, or an error. */
    @ParameterizedTest
    @CsvSource({
        ".model-00001-of-00003.safetensors.new",
        ".model-00003-of-00003.safetensors.new",
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
        "model.safetensors.index.json"
    })
    void aReaderNeverSeesAMixtureOfOldAndNew(String stopsAt) throws IOException {
        try (Slab old = constant(1);
                Slab fresh = constant(2)) {
            for (long before : List.of(10L, 70L, 1000L)) {
                for (long after : List.of(10L, 70L, 1000L)) {
                    Path empty = Files.createTempDirectory(folder, "model");
                    Shards.write(empty, old.tensors(), StoredType.KEPT, before);
                    // A full folder in the way of a file stops the writer there, as a crash would.
                    if (!Files.exists(empty.resolve(stopsAt))) {
                        Files.createDirectories(empty.resolve(stopsAt).resolve("full"));
                    }
                    try {
                        Shards.write(empty, fresh.tensors(), StoredType.KEPT, after);
                    } catch (CalmException e) {
                        assertThat(e.getMessage()).contains("model");
                    }
                    Set<Double> values = new HashSet<>();
                    try (Safetensors read = Safetensors.openFolder(empty)) {
                        assertThat(read.tensors()).hasSize(3);
                        read.tensors().values().forEach(tensor -> values.add(tensor.get(0)));
                        assertThat(values).hasSize(1);
                    } catch (CalmException e) {
                        assertThat(e.getMessage()).containsAnyOf("no such file", "cannot be read");
                    }
                }
            }
        }
    }

    private static Slab constant(double value) {
        Slab slab = new Slab.Plan()
                .add("a", DType.F32, 3, 5)
                .add("b", DType.BF16, 7)
                .add("c", DType.F32, 2)
                .allocate(HostBuffer::new);
        slab.tensors().forEach(tensor -> IntStream.range(0, (int) tensor.size()).forEach(i -> tensor.set(i, value)));
        return slab;
    }

    @Test
    void storedInAnotherTypeIsRoundedToNearest() {
        try (Slab slab = new Slab.Plan()
                .add("a", DType.F32, 300_001)
                .add("ids", DType.I32, 2)
                .allocate(HostBuffer::new)) {
            for (int i = 0; i < 300_001; i++) {
                slab.get("a").set(i, Math.sin(i));
            }
            slab.get("ids").setInt(1, 77);
            Path file = folder.resolve("half.safetensors");
            Safetensors.write(file, slab.tensors(), Map.of(), new StoredType(DType.F16), UnaryOperator.identity());
            try (Safetensors read = Safetensors.open(file)) {
                for (int i = 0; i < 300_001; i += 1000) {
                    assertThat(read.tensors().get("a").get(i))
                            .isEqualTo(Float.float16ToFloat(Float.floatToFloat16((float) Math.sin(i))));
                }
                assertThat(read.tensors().get("ids").getInt(1)).isEqualTo(77);
            }
        }
    }

    @Test
    void theIndexMustBeRight() throws IOException {
        try (Slab slab =
                new Slab.Plan().add("a", DType.F32, 4).add("b", DType.F32, 4).allocate(HostBuffer::new)) {
            Shards.write(folder, slab.tensors(), StoredType.KEPT, 16);
        }
        Path index = folder.resolve("model.safetensors.index.json");
        String right = Files.readString(index);
        Files.writeString(
                index,
                right.replace("00001-of", "00009-of")
                        .replace("00002-of", "00001-of")
                        .replace("00009-of", "00002-of"));
        assertThatThrownBy(() -> Safetensors.openFolder(folder))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("is not in model-0000");
        Files.writeString(index, right.replace("00001-of", "00003-of"));
        assertThatThrownBy(() -> Safetensors.openFolder(folder))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("no such file");
        Files.writeString(index, "{\"weight_map\":{\"a\":\"x.safetensors\",\"a\":\"y.safetensors\"}}");
        assertThatThrownBy(() -> Safetensors.openFolder(folder))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("uplicate");
    }

    @ParameterizedTest
    @CsvSource({"5GB,5000000000", "500MB,500000000", "2GiB,2147483648", "1024,1024", "7kb,7000", "1TiB,1099511627776"})
    void sizes(String text, long bytes) {
        assertThat(Shards.size(text)).isEqualTo(bytes);
        assertThatThrownBy(() -> Shards.size("0GB")).isInstanceOf(CalmException.class);
        assertThatThrownBy(() -> Shards.size("many")).isInstanceOf(CalmException.class);
    }

    private void same(Slab slab) {
        try (Safetensors read = Safetensors.openFolder(folder)) {
            assertThat(read.tensors()).hasSize(slab.tensors().size());
            for (Tensor tensor : slab.tensors()) {
                assertThat(read.tensors().get(tensor.name()).segment().mismatch(tensor.segment()))
                        .isEqualTo(-1);
            }
        }
    }

    private List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private Path write(long length, String header, int dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(length).put(json);
        return Files.write(folder.resolve("broken.safetensors"), bytes.array());
    }

    /** What was opened stays as it was, whatever becomes of the file: mapped memory would end with it, and Java too. */
    @Test
    void aFileThatIsCutOffWhileItIsInUse() throws IOException {
        Path file = folder.resolve("cut.safetensors");
        try (HostBuffer buffer = new HostBuffer(1 << 20)) {
            Tensor tensor = new Tensor("a", buffer, 0, DType.F32, 1 << 18);
            tensor.set((1 << 18) - 1, 7);
            Safetensors.write(file, List.of(tensor), Map.of());
        }
        try (Safetensors opened = Safetensors.open(file)) {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.truncate(100);
            }
            assertThat(opened.tensors().get("a").get((1 << 18) - 1)).isEqualTo(7f);
        }
        assertThatThrownBy(() -> Safetensors.open(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("cut.safetensors");
    }
}
