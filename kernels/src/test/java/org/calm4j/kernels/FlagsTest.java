package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.calm4j.engine.FlagsInSources;
import org.junit.jupiter.api.Test;

class FlagsTest {
    /** Whoever shows a message knows what a setting is called there; the one text that is left is an option of the PTX compiler. */
    @Test
    void messagesNameSettingsAndNotFlags() throws IOException {
        assertThat(FlagsInSources.below(Path.of("src/main/java"), null, "\"--gpu-name=\""))
                .isEmpty();
    }
}
