package org.calm4j.engine.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Thousands of broken files: each is read as what it says or refused in one line, and nothing else ever happens. */
@Tag("slow")
final class SafetensorsFuzzTest {
    private static final int FILES = 6000;
    private static final String HEADER = "{\"__metadata__\":{\"format\":\"pt\"},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
            + "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]},"
            + "\"c\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[32,34]}}";
    private static final String[] SCRAPS = {
        "NaN",
        "-1",
        "1e999",
        "99999999999999999999999",
        "0.5",
        "null",
        "{}",
        "[]",
        "\"\"",
        "{\"a\":",
        "[[[[",
        "]",
        "}",
        ",",
        ":",
        "\"dtype\":\"F64\"",
        "\"I64\"",
        "\u0000",
        "\\ud800",
        "\"a\":1,",
        "9223372036854775807",
        "4611686018427387904",
        "[24,0]",
        " ",
        "\uFEFF"
    };

    @TempDir
    private Path folder;

    @Test
    void aBrokenFileIsBadInputAndNothingElse() throws IOException {
        Path file = folder.resolve("x.safetensors");
        int refused = 0;
        for (int i = 0; i < FILES; i++) {
            Random random = new Random(i);
            Files.write(file, mutated(random));
            try (Safetensors read = Safetensors.open(file)) {
                for (Tensor tensor : read.tensors().values()) {
                    for (long e = 0; e < tensor.size(); e++) {
                        tensor.get(e);
                    }
                }
            } catch (CalmException e) {
                refused++;
                assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT);
                assertThat(e.getMessage())
                        .as("file %d", i)
                        .contains("x.safetensors")
                        .doesNotContain("\n")
                        .hasSizeLessThan(2500);
            }
        }
        assertThat(refused).isBetween(FILES / 2, FILES - 100);
    }

    @Test
    void deepOrEndlessHeadersAreRefused() throws IOException {
        for (String header : new String[] {
            "{\"a\":" + "[".repeat(3_000_000),
            "{\"a\":" + "{\"a\":".repeat(100_000),
            "{\"" + "a".repeat(5_000_000) + "\":{}}",
            "{\"a\":{\"shape\":[" + "1,".repeat(1_000_000) + "1]}}",
            "{\"a\":{\"shape\":[" + "1".repeat(100_000) + "]}}"
        }) {
            Path file = Files.write(
                    folder.resolve("x.safetensors"), file(header.getBytes(StandardCharsets.UTF_8), header.length(), 0));
            try (Safetensors read = Safetensors.open(file)) {
                throw new AssertionError("read " + read.tensors().size() + " tensors");
            } catch (CalmException e) {
                assertThat(e.getMessage()).contains("x.safetensors").hasSizeLessThan(500);
            }
        }
    }

    private static byte[] mutated(Random random) {
        StringBuilder text = new StringBuilder(HEADER);
        int edits = random.nextInt(4);
        for (int e = 0; e < edits; e++) {
            int at = random.nextInt(text.length());
            switch (random.nextInt(4)) {
                case 0 -> text.insert(at, SCRAPS[random.nextInt(SCRAPS.length)]);
                case 1 -> text.delete(at, Math.min(text.length(), at + 1 + random.nextInt(9)));
                case 2 -> text.setCharAt(at, (char) random.nextInt(128));
                default -> text.setCharAt(at, (char) ('0' + random.nextInt(10)));
            }
        }
        byte[] header = text.toString().getBytes(StandardCharsets.UTF_8);
        if (random.nextInt(4) == 0) {
            header[random.nextInt(header.length)] = (byte) random.nextInt();
        }
        long length =
                switch (random.nextInt(8)) {
                    case 0 -> random.nextLong();
                    case 1 -> header.length + random.nextInt(9) - 4;
                    default -> header.length;
                };
        byte[] file = file(header, length, random.nextInt(5) == 0 ? random.nextInt(60) : 34);
        return random.nextInt(6) == 0 ? Arrays.copyOf(file, random.nextInt(file.length)) : file;
    }

    private static byte[] file(byte[] header, long length, int dataBytes) {
        return ByteBuffer.allocate(8 + header.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length)
                .put(header)
                .array();
    }
}
