package org.calm4j.calm.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.calm.inspect.ReplayStage;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.world.WorldFiles;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An experiment whose trainings are looked at: checkpoints stay, measurements are there, and a step can be taken once more to the bit. */
final class KeptCheckpointsTest {
    @TempDir
    private Path folder;

    @Test
    @Tag("slow")
    void aStepOfTheAlignmentIsTakenAgain() throws Exception {
        WorldOnDisk.write(folder);
        Path file = Files.writeString(folder.resolve("look.yaml"), """
                model: %1$s/model
                questions: [%1$s/world/some.jsonl]
                prompts: %1$s/world/%2$s
                output: %1$s/out
                sample: {responses: 4, max_new_tokens: 12}
                dpo: {max_steps: 6, batch_size: 4}
                save_steps: 2
                inspect: {every: 3, outlier_z: 0}
                """.formatted(folder, WorldFiles.PROMPTS));
        try (Backend backend = Backends.open("cpu", 0)) {
            new Experiment(ExperimentFile.read(file, Map.of()), backend, Progress.NONE).run();
            Path run = folder.resolve("out").resolve("calm");
            for (int step : new int[] {2, 4, 6}) {
                assertThat(run.resolve("checkpoint-" + step)).isDirectory();
            }
            List<Map<String, Object>> lines = Jsonl.readMaps(run.resolve("metrics.jsonl"));
            assertThat(lines).hasSize(6);
            for (int step = 1; step <= 6; step++) {
                assertThat(lines.get(step - 1).containsKey("inspect/margins/en"))
                        .isEqualTo(step % 3 == 0);
            }
            Path wanted = folder.resolve("wanted");
            Files.move(run.resolve("checkpoint-4"), wanted);
            // From step 2, then from the start, as where nothing was kept.
            for (String from : List.of("checkpoint-2", "the start")) {
                Path again = folder.resolve("from " + from);
                new ReplayStage(run, again, 4, null, Set.of(), 0, Map.of()).run(backend, Progress.NONE);
                for (String name : List.of("model.safetensors", "optimizer.safetensors")) {
                    assertThat(again.resolve(name)).as(from).hasSameBinaryContentAs(wanted.resolve(name));
                }
                Files.move(run.resolve("checkpoint-2"), folder.resolve("gone " + from));
                Files.createDirectories(run.resolve("checkpoint-2"));
            }
        }
    }
}
