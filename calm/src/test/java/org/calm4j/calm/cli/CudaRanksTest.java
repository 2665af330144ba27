package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.engine.ranks.MpiLaunch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command on ranks with a GPU each, which the stand-in has, and its NCCL between them. */
@Tag("slow")
final class CudaRanksTest {
    private static final Path STAND_IN = Path.of("..", "native", "target", "standin", "plain")
            .toAbsolutePath()
            .normalize();

    @TempDir
    private Path folder;

    private MpiLaunch mpi;

    @BeforeEach
    void write() throws IOException {
        assumeTrue(Files.exists(STAND_IN.resolve("libnccl.so.2")), "the stand-in is built");
        mpi = MpiLaunch.all().findFirst().orElseThrow();
        ModelOnDisk.write(folder.resolve("model"));
        Files.write(
                folder.resolve("pairs.jsonl"),
                IntStream.range(0, 5)
                        .mapToObj(i ->
                                "{\"prompt_input_ids\":[3,%d],\"chosen_input_ids\":[4,%d],\"rejected_input_ids\":[5]}"
                                        .formatted(2 + i, 3 + i))
                        .toList());
    }

    @Test
    void ranksWithAGpuEachDoNotDecideBits() throws Exception {
        dpo(1, "one");
        assertThat(dpo(2, "two").err()).contains("calm: gradients pass between the ranks by NCCL 2.21.5\n");
        assertThat(folder.resolve("two").resolve("model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("one").resolve("model.safetensors"));
    }

    private MpiLaunch.Result dpo(int ranks, String output) throws Exception {
        List<String> arguments = new ArrayList<>(List.of(
                "dpo --model model --data pairs.jsonl --device cuda --batch-size 4 --parts 4 --max-steps 2 --zero 1"
                        .split(" ")));
        arguments.addAll(List.of("--output", output));
        Process process = mpi.java(
                ranks,
                folder,
                Map.of("LD_LIBRARY_PATH", STAND_IN.toString(), "SIMT_DEVICES", String.valueOf(ranks)),
                List.of("-XX:TieredStopAtLevel=1", "-Dslf4j.internal.verbosity=ERROR"),
                Calm.class,
                arguments.toArray(String[]::new));
        MpiLaunch.Result result = MpiLaunch.end(process, folder);
        assertThat(result.code()).as(result.err()).isZero();
        return result;
    }
}
