package org.calm4j.calm.tool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.io.Shards;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConvertStageTest {
    @TempDir
    private Path folder;

    private Path model;

    @BeforeEach
    void model() throws IOException {
        model = folder.resolve("model");
        ModelOnDisk.write(model);
        Files.writeString(model.resolve("notes.txt"), "kept");
        Files.writeString(model.resolve("pytorch_model.bin"), "weights in another form");
    }

    private Path convert(String name, Path from, Path adapter, DType type, long maxShardBytes) {
        Path output = folder.resolve(name);
        new ConvertStage(from, adapter, null, output, type, maxShardBytes).run(Progress.NONE);
        return output;
    }

    @Test
    void typesAndShardsThereAndBack() {
        Path half = convert("half", model, null, DType.BF16, 2000);
        assertThat(half.resolve("model.safetensors.index.json")).exists();
        assertThat(half.resolve("notes.txt")).hasContent("kept");
        assertThat(half.resolve("pytorch_model.bin")).doesNotExist();
        assertThat(Json.read(half.resolve("config.json"), JsonNode.class)
                        .path("torch_dtype")
                        .asText())
                .isEqualTo("bfloat16");
        Path whole = convert("whole", half, null, DType.F32, Shards.DEFAULT_MAX_BYTES);
        try (Safetensors before = Safetensors.openFolder(model);
                Safetensors after = Safetensors.openFolder(whole)) {
            assertThat(after.tensors().keySet()).isEqualTo(before.tensors().keySet());
            for (Tensor tensor : before.tensors().values()) {
                Tensor converted = after.tensors().get(tensor.name());
                assertThat(converted.type()).isEqualTo(DType.F32);
                for (long i = 0; i < tensor.size(); i++) {
                    assertThat(converted.get(i))
                            .isEqualTo(Float.intBitsToFloat(Tensor.bf16((float) tensor.get(i)) << 16));
                }
            }
        }
        assertThatThrownBy(() -> convert("whole", model, null, null, 1 << 20))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("has files");
    }

    @Test
    void theModelsOwnFolderByAnotherNameIsRefused() throws IOException {
        assertThatThrownBy(() -> convert("missing/../model", model, null, null, 1 << 20))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("has files");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsOnly(model);
        }
        assertThat(convert("missing/../new", model, null, null, 1 << 20)
                        .normalize()
                        .resolve("config.json"))
                .exists();
    }

    @Test
    void aMergedAdapterScoresAsTheAdapterDid() {
        Path adapter = folder.resolve("adapter");
        List<Scorer.Item> items =
                List.of(new Scorer.Item(new int[] {3, 4}, List.of(new int[] {5, 6, 7}, new int[] {1})));
        List<List<double[]>> expected;
        List<List<double[]>> base;
        try (Backend backend = Backends.open("cpu", 1);
                ModelFolder opened = ModelFolder.open(backend, model, null)) {
            var config = opened.model().config();
            var settings = new LoraSettings(2, 4, 0, false, config.layout().projections(List.of("all-linear")));
            try (Lora lora = Lora.random(backend, config, settings, 1)) {
                for (Tensor tensor : lora.slab().tensors()) {
                    double[] values = new double[(int) tensor.size()];
                    for (int i = 0; i < values.length; i++) {
                        values[i] = 0.3 * CounterRandom.normal(CounterRandom.seed(2, tensor.name()), i);
                    }
                    backend.write(tensor, values, values.length);
                }
                Files.createDirectories(adapter);
                lora.save(adapter, model.toString());
                expected = new Scorer(opened.withLora(lora).model()).score(items, done -> {});
                base = new Scorer(opened.model()).score(items, done -> {});
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
        mergesBeforeItRounds(adapter);
        Path merged = convert("merged", model, adapter, null, 3000);
        try (Backend backend = Backends.open("cpu", 1);
                ModelFolder opened = ModelFolder.open(backend, merged, null)) {
            double[] found = new Scorer(opened.model())
                    .score(items, done -> {})
                    .getFirst()
                    .getFirst();
            assertThat(found).containsExactly(expected.getFirst().getFirst(), within(1e-5));
            assertThat(Math.abs(found[0] - base.getFirst().getFirst()[0])).isGreaterThan(1e-3);
        }
    }

    /** A sum that is written wider than the base is stored keeps what the adapter adds below the base's last bit. */
    private void mergesBeforeItRounds(Path adapter) {
        Path half = convert("half", model, null, DType.BF16, Shards.DEFAULT_MAX_BYTES);
        Path wide = convert("wide", half, adapter, DType.F32, Shards.DEFAULT_MAX_BYTES);
        String name = "model.layers.1.mlp.down_proj.";
        try (Safetensors base = Safetensors.openFolder(half);
                Safetensors merged = Safetensors.openFolder(wide);
                Safetensors added = Safetensors.open(adapter.resolve("adapter_model.safetensors"))) {
            Tensor a = added.tensors().get("base_model.model." + name + "lora_A.weight");
            Tensor b = added.tensors().get("base_model.model." + name + "lora_B.weight");
            Tensor result = merged.tensors().get(name + "weight");
            assertThat(result.type()).isEqualTo(DType.F32);
            int beyond = 0;
            for (long i = 0; i < result.size(); i++) {
                long row = i / a.dim(1);
                long column = i % a.dim(1);
                double sum = base.tensors().get(name + "weight").get(i);
                for (long r = 0; r < a.dim(0); r++) {
                    sum += 4.0 / 2 * b.get(row * a.dim(0) + r) * a.get(r * a.dim(1) + column);
                }
                assertThat(result.get(i)).isCloseTo(sum, within(1e-7));
                beyond +=
                        Float.intBitsToFloat(Tensor.bf16((float) result.get(i)) << 16) == (float) result.get(i) ? 0 : 1;
            }
            assertThat(beyond).isGreaterThan((int) result.size() / 2);
        }
    }
}
