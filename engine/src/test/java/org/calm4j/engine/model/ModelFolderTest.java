package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Weights as they are stored: used where they lie, saved as they were. */
final class ModelFolderTest {
    private final Backend backend = new SimdBackend(2);

    @TempDir
    private Path saved;

    static List<String> models() {
        return OracleModel.NAMES;
    }

    @AfterEach
    void close() {
        backend.close();
    }

    @ParameterizedTest
    @MethodSource("models")
    void frozenWeightsStayWhereTheFileWasRead(String name) {
        try (ModelFolder folder = ModelFolder.open(backend, OracleModel.folder(name), null)) {
            // One buffer for the one file: nothing was copied.
            assertThat(folder.model().parameters().tensors().stream()
                            .map(Tensor::buffer)
                            .distinct())
                    .hasSize(1);
            assertThatThrownBy(() -> folder.model().parameters().slab()).isInstanceOf(IllegalStateException.class);
        }
    }

    /** Frozen or to be trained: what is saved has the bits that were read, under the names that transformers gives them. */
    @ParameterizedTest
    @MethodSource("models")
    void whatIsSavedIsBitEqual(String name) {
        Path path = OracleModel.folder(name);
        for (boolean trained : new boolean[] {false, true}) {
            try (ModelFolder folder =
                    trained ? ModelFolder.openToTrain(backend, path) : ModelFolder.open(backend, path, null)) {
                folder.save(saved, null);
            }
            try (Safetensors before = Safetensors.openFolder(path);
                    Safetensors after = Safetensors.openFolder(saved);
                    Safetensors names = Safetensors.open(path.resolve("gradient.safetensors"))) {
                assertThat(after.tensors().keySet())
                        .containsExactlyInAnyOrderElementsOf(names.tensors().keySet());
                after.tensors().forEach((full, tensor) -> {
                    Tensor original =
                            before.tensors().getOrDefault(full, before.tensors().get(full.replace("transformer.", "")));
                    assertThat(tensor.type()).isEqualTo(original.type());
                    assertThat(tensor.shape()).isEqualTo(original.shape());
                    assertThat(tensor.segment().mismatch(original.segment()))
                            .as(full)
                            .isEqualTo(-1);
                });
            }
        }
    }

    @Test
    void theConfigNamesTheStoredType() {
        try (ModelFolder folder = ModelFolder.openToTrain(backend, OracleModel.folder("llama3-biases"))) {
            folder.save(saved, null);
            assertThat(savedType()).isEqualTo("bfloat16");
            folder.save(saved, DType.F32);
            assertThat(savedType()).isEqualTo("float32");
            folder.save(saved, DType.F16);
            assertThat(savedType()).isEqualTo("float16");
        }
    }

    private String savedType() {
        ObjectNode json = Json.read(saved.resolve("config.json"), ObjectNode.class);
        assertThat(json.has("torch_dtype")).isFalse();
        return json.path("dtype").asText();
    }

    /** Scores from BF16 and F16 weights have the bits that F32 weights of the same values give. */
    @ParameterizedTest
    @MethodSource("models")
    void scoresAreThoseOfTheSameWeightsInF32(String name) {
        try (ModelFolder narrow = ModelFolder.open(backend, OracleModel.folder(name), null)) {
            narrow.save(saved, DType.F32);
            try (ModelFolder wide = ModelFolder.open(backend, saved, null)) {
                assertThat(wide.model().parameters().tensors()).allMatch(tensor -> tensor.type() == DType.F32);
                assertThat(scores(wide)).isEqualTo(scores(narrow));
            }
        }
    }

    private static List<List<Double>> scores(ModelFolder folder) {
        int[] prompt = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
        int[] completion = {8, 9, 7, 9, 3, 2, 3, 8, 4};
        return new Scorer(folder.model())
                        .score(List.of(new Scorer.Item(prompt, List.of(completion, new int[] {7}))), done -> {})
                        .getFirst()
                        .stream()
                        .map(scores -> Arrays.stream(scores).boxed().toList())
                        .toList();
    }

    /** F64 is read too, rounded to the compute type. */
    @Test
    void doublePrecisionFiles() {
        try (ModelFolder folder = ModelFolder.open(backend, OracleModel.folder("qwen2"), null)) {
            folder.save(saved, DType.F64);
            try (ModelFolder other = ModelFolder.open(backend, saved, null)) {
                assertThat(scores(other)).isEqualTo(scores(folder));
            }
        }
    }

    @Test
    void anAdapterAloneIsSaidToBeOne() throws IOException {
        Files.writeString(saved.resolve("adapter_config.json"), "{}");
        List<ThrowingCallable> readers = List.of(
                () -> ModelFolder.open(backend, saved, null).close(),
                () -> ModelFolder.openToTrain(backend, saved).close(),
                () -> ModelFolder.check(saved));
        assertThat(readers).allSatisfy(reader -> assertThatThrownBy(reader)
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(saved + ": has an adapter and no model; give its base as the model"));
    }

    @Test
    void namesTensorsThatDoNotFit() {
        Path path = OracleModel.folder("qwen3");
        try (Safetensors file = Safetensors.openFolder(path)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>(file.tensors());
            Tensor norm = tensors.remove("model.layers.1.self_attn.q_norm.weight");
            assertRefused(path, tensors, "tensor model.layers.1.self_attn.q_norm.weight is missing");
            tensors.put(norm.name(), renamed(norm, norm.name(), 2, 3));
            assertRefused(path, tensors, norm.name() + " has shape [2, 3], the config says [6]");
        }
    }

    private static Tensor renamed(Tensor tensor, String name, long... shape) {
        return new Tensor(name, tensor.buffer(), tensor.offset(), tensor.type(), shape);
    }

    private void assertRefused(Path config, Map<String, Tensor> tensors, String message) {
        Safetensors.write(saved.resolve("model.safetensors"), tensors.values(), Map.of());
        Json.write(saved.resolve("config.json"), Json.read(config.resolve("config.json"), ObjectNode.class));
        assertThatThrownBy(() -> ModelFolder.open(backend, saved, null))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(message);
    }
}
