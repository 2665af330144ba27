package org.calm4j.engine.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.TokenFilter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SamplingDefaultsTest {
    @TempDir
    private Path folder;

    private TokenFilter read(String json) throws IOException {
        Files.writeString(folder.resolve("generation_config.json"), json);
        return SamplingDefaults.read(folder);
    }

    @Test
    void whatIsMissingIsAsInTransformers() throws IOException {
        assertThat(SamplingDefaults.read(folder)).isEqualTo(new TokenFilter(0, 50, 1, 0, 1));
        assertThat(read("{\"temperature\": 0.6, \"top_p\": 0.9}")).isEqualTo(new TokenFilter(0, 50, 0.9, 0, 1));
        assertThat(read("{\"do_sample\": true}")).isEqualTo(new TokenFilter(1, 50, 1, 0, 1));
        assertThat(read("{\"do_sample\": true, \"top_k\": null, \"top_p\": null}"))
                .isEqualTo(new TokenFilter(1, 0, 1, 0, 1));
        assertThat(
                        read(
                                "{\"do_sample\": true, \"temperature\": 0.7, \"top_k\": 20, \"top_p\": 0.8, \"repetition_penalty\": 1.05}"))
                .isEqualTo(new TokenFilter(0.7, 20, 0.8, 0, 1.05));
        assertThatThrownBy(() -> read("{\"top_p\": 2}"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("generation_config.json: top_p must be above 0 and at most 1");
    }
}
