package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TuneLensStageTest {
    @TempDir
    private Path folder;

    @Test
    void theLensThatWasTrainedIsTheOneThatIsLookedThrough() throws IOException {
        Path texts = Files.writeString(folder.resolve("texts.jsonl"), """
                {"id": 1, "input_ids": [3, 1, 4, 1, 5, 9, 2], "completion_start": 1}
                {"id": 2, "input_ids": [2, 7, 1, 8], "completion_start": 1}
                {"id": 3, "input_ids": [6, 5, 8], "completion_start": 1}
                """);
        try (Backend backend = new SimdBackend(1);
                ModelFolder model = ModelFolder.open(backend, OracleModel.folder("qwen3"), null)) {
            tune(texts, "identity", 0, model);
            tune(texts, "tuned", 40, model);
            lens(texts, "plain", null, model);
            lens(texts, "same", folder.resolve("identity"), model);
            lens(texts, "other", folder.resolve("tuned"), model);
            assertThat(folder.resolve("same")).hasSameBinaryContentAs(folder.resolve("plain"));
            assertThat(Files.readString(folder.resolve("other")))
                    .isNotEqualTo(Files.readString(folder.resolve("plain")));
            int last = model.model().config().layers();
            assertThat(ofLayer(folder.resolve("other"), last)).isEqualTo(ofLayer(folder.resolve("plain"), last));
            assertThatThrownBy(() -> tune(texts, "tuned", 1, model)).hasMessageContaining("exists");
        }
    }

    private static String ofLayer(Path file, int layer) throws IOException {
        return String.join(
                "\n",
                Files.readAllLines(file).stream()
                        .filter(line -> line.contains("\"layer\":" + layer + ","))
                        .toList());
    }

    private void tune(Path texts, String name, int steps, ModelFolder model) {
        TuneLensStage.Result found =
                new TuneLensStage(texts, null, folder.resolve(name), steps, 2, 1e-2, 3).run(model, Progress.NONE);
        assertThat(found.layers()).hasSize(model.model().config().layers());
        for (TuneLensStage.Layer each : found.layers()) {
            assertThat(each.tunedLens())
                    .isLessThanOrEqualTo(each.logitLens() * (steps == 0 ? 1 : 0.8))
                    .isPositive();
        }
        assertThat(Json.read(folder.resolve(name).resolve("config.json"), JsonNode.class)
                        .path("divergences"))
                .isEqualTo(Json.mapper().valueToTree(found.layers()));
    }

    private void lens(Path texts, String name, Path tuned, ModelFolder model) {
        new LensStage(texts, folder.resolve(name), tuned, 3).run(model, Progress.NONE);
    }
}
