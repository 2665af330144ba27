package org.calm4j.calm.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That everything that can be measured runs and is written down; how fast it is, is no test's business. */
@Tag("slow")
class BenchTest {
    @TempDir
    private Path folder;

    @Test
    void everyWorkloadRunsAndReportsAsItGoes() {
        List<Measurement> seen = new ArrayList<>();
        try (Backend backend = Backends.open("cpu", 1)) {
            assertThat(new Bench(backend, 1, "demo", Bench.all(), 0.01, true).run(seen::add))
                    .isEqualTo(seen);
        }
        assertThat(seen)
                .extracting(Measurement::benchmark)
                .containsOnly("product", "train-step", "dpo-step", "decode", "sample", "tokenize");
        assertThat(seen).allSatisfy(found -> assertThat(found.perSecond()).isPositive());
        assertThat(seen)
                .filteredOn(found -> found.benchmark().equals("train-step"))
                .allSatisfy(found -> assertThat(found.operations()).anySatisfy(operation -> {
                    assertThat(operation.name()).isEqualTo("linearBackwardWeight");
                    assertThat(operation.milliseconds()).isPositive();
                    assertThat(operation.calls()).isEqualTo(14);
                }));
        assertThat(seen)
                .filteredOn(found -> found.benchmark().equals("product"))
                .allSatisfy(found -> assertThat(found.peakShare()).isBetween(0.0, 2.0));
    }

    @Test
    void historyGrowsByRowsUnderOneHeader() throws Exception {
        History.append(folder, List.of(new History.Row("product", "threads=1 1x2x3", 12.345, 0.1, "GFLOP/s")));
        History.append(folder, List.of(new History.Row("decode", "a, b", 7, 1, "token/s")));
        List<String> lines = Files.readAllLines(folder.resolve(LocalDate.now().getYear() + ".csv"));
        assertThat(lines).hasSize(3);
        assertThat(lines.get(0)).startsWith("date,commit,cpu,jvm,benchmark");
        assertThat(lines.get(1)).endsWith(",product,threads=1 1x2x3,12.35,0.10,GFLOP/s");
        assertThat(lines.get(2).split(",")).hasSize(9);
    }
}
