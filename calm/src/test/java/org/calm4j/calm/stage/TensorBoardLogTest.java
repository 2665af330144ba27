package org.calm4j.calm.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.calm4j.engine.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bytes that TensorBoard's own writer makes of the same values: {@code src/test/oracle/tensorboard_events.py}. */
class TensorBoardLogTest {
    private static final String EVENTS =
            "1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b3531100f000000000000006d53"
                    + "2b090900002040fc54d94110073a0208019beb06a73e00000000000000d9d240e70900002040fc54d94110072a310a110a0a"
                    + "747261696e2f6c6f7373151872313f0a1c0a15747261696e2f726577617264732f6d617267696e73150000c0bfe86d668133"
                    + "000000000000000ca720560900008040fc54d94110ac022a250a110a0a747261696e2f6c6f7373150000803e0a100a096576"
                    + "616c2f6c6f7373156042a20dd628d02e";

    @Test
    void isWhatTensorBoardWrites(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("runs/events");
        try (TensorBoardLog log = new TensorBoardLog(file)) {
            assertThat(file).doesNotExist();
            log.row(
                    1700000000.5,
                    7,
                    Json.mapper()
                            .readTree(
                                    "{\"step\":7,\"loss\":0.6931471805599453,\"rewards/margins\":-1.5,\"grad_norm\":\"NaN\"}"));
            log.row(1700000002.0, 300, Json.mapper().readTree("{\"step\":300,\"loss\":0.25,\"eval_loss\":1e-30}"));
        }
        assertThat(HexFormat.of().formatHex(Files.readAllBytes(file))).isEqualTo(EVENTS);
    }
}
