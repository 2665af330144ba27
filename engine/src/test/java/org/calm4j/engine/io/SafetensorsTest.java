package org.calm4j.engine.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.Block;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
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
        try (Block block = new Block.Plan().add("a", DType.F32, 3, 5).add("b", DType.BF16, 7).add("c", DType.F64, 1, 1).add("d", DType.F16, 0)
                .allocate(HostBuffer::new)) {
            for (Tensor tensor : block.tensors()) {
                for (int i = 0; i < tensor.size(); i++) {
                    tensor.set(i, Math.sin(i + 1) * Math.pow(10, i));
                }
            }
            block.get("a").set(0, Double.NaN);
            Safetensors.write(file, block.tensors(), Map.of("format", "pt"));
            try (Safetensors read = Safetensors.openFolder(folder)) {
                assertThat(read.tensors().keySet()).containsExactly("a", "b", "c", "d");
                for (Tensor tensor : block.tensors()) {
                    Tensor other = read.tensors().get(tensor.name());
                    assertThat(other.shape()).isEqualTo(tensor.shape());
                    assertThat(other.type()).isEqualTo(tensor.type());
                    assertThat(other.segment().mismatch(tensor.segment())).isEqualTo(-1);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}                                                          | 4  | lies at
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}                                                          | 12 | end at 8
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}                                                         | 12 | begins at 4
            {"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}                                                          | 8  | tensor a
            {"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}                                                         | 8  | whole numbers
            {"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}                                      | 8  | impossible
            {"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}}                                                           | 8  | Q4
            {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}     | 8  | JSON
            {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}     | 8  | begins at 0
            [1,2]                                                                                                           | 0  | object
            """)
    void brokenFilesAreNamed(String header, int dataBytes, String message) throws IOException {
        Path file = write(header.getBytes(StandardCharsets.UTF_8).length, header, dataBytes);
        assertThatThrownBy(() -> Safetensors.open(file)).isInstanceOf(CalmException.class).hasMessageContaining(message)
                .hasMessageContaining("broken.safetensors");
    }

    @Test
    void lyingHeaderLengthsAndTruncatedFiles() throws IOException {
        for (long length : List.of(-1L, 0L, 1L << 40, 99L)) {
            Path file = write(length, "{}", 0);
            assertThatThrownBy(() -> Safetensors.open(file)).isInstanceOf(CalmException.class).hasMessageContaining("not a safetensors file");
        }
        Path file = folder.resolve("short.safetensors");
        Files.write(file, new byte[5]);
        assertThatThrownBy(() -> Safetensors.open(file)).isInstanceOf(CalmException.class).hasMessageContaining("8 bytes");
        assertThatThrownBy(() -> Safetensors.open(folder.resolve("none"))).isInstanceOf(CalmException.class).hasMessageContaining("no such file");
    }

    @Test
    void shardsStayInTheFolder() throws IOException {
        Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\":{\"a\":\"../secret.safetensors\"}}");
        assertThatThrownBy(() -> Safetensors.openFolder(folder)).isInstanceOf(CalmException.class).hasMessageContaining("folder");
    }

    private Path write(long length, String header, int dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(length).put(json);
        return Files.write(folder.resolve("broken.safetensors"), bytes.array());
    }
}
