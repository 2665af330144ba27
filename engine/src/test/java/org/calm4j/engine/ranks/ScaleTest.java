package org.calm4j.engine.ranks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What docs/cluster.md promises of machines that nobody here has. */
class ScaleTest {
    private static final int STEPS = 200;

    @Test
    void aLoraStepKeepsNineTenthsAtSixtyFourRanks() {
        Scale.Step step = Scale.Step.lora(16, 8192, 0.02);
        assertThat(Scale.efficiency(step, 64, STEPS, 2)).isGreaterThan(0.94);
        assertThat(Scale.efficiency(step.withSlowNode(10), 64, STEPS, 2)).isGreaterThan(0.9);
    }

    @Test
    void aFullStepOfManyTokensKeepsNineTenthsWithZero() {
        assertThat(Scale.efficiency(Scale.Step.full(32_768, 64, true, 0.005), 64, STEPS, 2))
                .isGreaterThan(0.9);
    }

    /** Without noise the time of a step is a sum that can be written down. */
    @Test
    void withoutStragglersTheTreeTakesWhatItsBytesTake() {
        Scale.Step step = new Scale.Step(1, 0, 360e9, 360e9, 0, 1);
        double rounds = 2 * (20e-6 + 0.5) + 3 * 180e9 / 3.35e12;
        assertThat(Scale.efficiency(step, 2, 1, 1)).isCloseTo(1 / (1 + rounds), within(1e-9));
    }

    @Test
    void handedOutPartsDoNotWaitForTheSlowest() {
        Scale.Parts work = new Scale.Parts(15_625, 1, 0.1, 0.7, 0.0005, 0, 0);
        assertThat(Scale.efficiency(work, 64, true, 2)).isGreaterThan(0.99);
        assertThat(Scale.efficiency(work, 64, false, 2)).isLessThan(0.75);
        assertThat(Scale.efficiency(work, 1024, true, 2)).isGreaterThan(0.9);
        Scale.Parts few = new Scale.Parts(244, 1, 0.1, 1, 0.0005, 0, 0);
        assertThat(Scale.efficiency(few, 64, true, 2)).isLessThan(0.95);
    }

    @Test
    void theDocumentHasTheSimulationsTable() throws IOException {
        assertThat(Files.readString(Path.of("../docs/cluster.md"))).contains(Scale.table());
    }
}
