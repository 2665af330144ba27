package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Folders as older versions of transformers wrote them: masks and rotary frequencies among the weights, other names, tied heads. */
@Tag("slow")
final class OldFilesTest {
    private final Backend backend = new SimdBackend(1);

    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        backend.close();
    }

    /** Adds tensors of zeros to the file of a model, of any type. */
    private void write(String model, Map<String, String> added) throws IOException {
        Path from = OracleModel.folder(model);
        Json.write(folder.resolve("config.json"), OracleModel.config(model));
        byte[] file = Files.readAllBytes(from.resolve("model.safetensors"));
        int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
        ObjectNode header = (ObjectNode) Json.mapper().readTree(new String(file, 8, length, StandardCharsets.UTF_8));
        long end = file.length - 8 - length;
        for (Map.Entry<String, String> entry : added.entrySet()) {
            String[] parts = entry.getValue().split(" ");
            long bytes = Arrays.stream(parts, 2, parts.length)
                    .mapToLong(Long::parseLong)
                    .reduce(Long.parseLong(parts[1]), (a, b) -> a * b);
            ObjectNode node = header.putObject(entry.getKey()).put("dtype", parts[0]);
            Arrays.stream(parts, 2, parts.length).mapToLong(Long::parseLong).forEach(node.withArray("shape")::add);
            node.putArray("data_offsets").add(end).add(end + bytes);
            end += bytes;
        }
        byte[] json = Json.compact(header).getBytes(StandardCharsets.UTF_8);
        ByteBuffer out = ByteBuffer.allocate(8 + json.length + (int) end).order(ByteOrder.LITTLE_ENDIAN);
        out.putLong(json.length).put(json).put(file, 8 + length, file.length - 8 - length);
        Files.write(folder.resolve("model.safetensors"), out.array());
    }

    private List<double[]> scores(Path path) {
        try (ModelFolder opened = ModelFolder.open(backend, path, null)) {
            var item = new Scorer.Item(new int[] {3, 1}, List.of(new int[] {4, 1, 5}));
            return new Scorer(opened.model()).score(List.of(item), done -> {}).getFirst();
        }
    }

    /** The name, its type, bytes of an element, shape. */
    @ParameterizedTest
    @CsvSource({
        "gpt2-untied, transformer.h.1.attn.bias, BOOL 1 1 1 8 8",
                "gpt2-untied, transformer.h.1.attn.bias, U8 1 1 1 64 64",
        "gpt2-untied, transformer.h.0.attn.bias, F32 4 1 1 64 64",
                "gpt2-untied, transformer.h.0.attn.masked_bias, F32 4",
        "gpt2-untied, h.0.attn.masked_bias, I64 8", "gpt2, transformer.h.7.attn.bias, BOOL 1 1 1 8 8",
        "llama-tied, model.layers.1.self_attn.rotary_emb.inv_freq, F32 4 2",
                "llama-tied, model.rotary_emb.inv_freq, F16 2 2",
        "mistral, layers.0.self_attn.rotary_emb.inv_freq, BF16 2 2",
                "llama-untied, model.layers.0.self_attn.rotary_emb.inv_freq, I64 8 3"
    })
    void buffersAreNoWeights(String model, String name, String tensor) throws IOException {
        write(model, Map.of(name, tensor));
        assertThat(scores(folder)).usingRecursiveComparison().isEqualTo(scores(OracleModel.folder(model)));
    }

    /** As transformers does: a value head, another task's head, biases that the config does not want; of any type, and named. */
    @ParameterizedTest
    @CsvSource({
        "gpt2-untied, transformer.h.1.attn.bias2, BOOL 1 4",
        "gpt2-untied, transformer.h.1.crossattention.bias, F32 4 4",
        "gpt2-untied, model.rotary_emb.inv_freq, F32 4 4",
        "llama-tied, v_head.summary.weight, F32 4 1 16",
        "llama-tied, score.weight, BF16 2 3 16",
        "llama-tied, model.layers.7.mlp.up_proj.weight, F8_E4M3 1 4 4",
        "llama-tied, norm.weight, F32 4 16",
        "llama-tied, model.layers.0.mlp.scale, I64 8",
        "llama-untied, embed_positions.weight, F32 4 2"
    })
    void otherTensorsAreLeftOutAndNamed(String model, String name, String tensor) throws IOException {
        write(model, Map.of(name, tensor));
        assertThat(scores(folder)).usingRecursiveComparison().isEqualTo(scores(OracleModel.folder(model)));
        for (boolean train : new boolean[] {false, true}) {
            try (ModelFolder opened =
                    train ? ModelFolder.openToTrain(backend, folder) : ModelFolder.open(backend, folder, null)) {
                assertThat(opened.notes())
                        .containsExactly(folder + ": tensor " + name
                                + " has no place in a model of this config and is left out");
            }
        }
    }

    @Test
    void manyAreCounted() throws IOException {
        write(
                "llama-tied",
                Map.of(
                        "a", "F32 4", "b", "F32 4", "c", "F32 4", "d", "F32 4", "e", "F32 4", "f", "F32 4", "g",
                        "F32 4"));
        try (ModelFolder opened = ModelFolder.open(backend, folder, null)) {
            assertThat(opened.notes()).singleElement().asString().contains("7 tensors have no place", ", …");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "gpt2-untied, transformer.h.0.attn.masked_bias, Q4 1 4, has dtype \"Q4\"",
        "llama-tied, v_head.summary.weight, Q4 1 4, has dtype \"Q4\"",
        "llama-tied, model.layers.0.self_attn.rotary_emb.inv_freq, U8 2 4, is at"
    })
    void brokenOnesAreErrors(String model, String name, String tensor, String message) throws IOException {
        write(model, Map.of(name, tensor));
        assertThatThrownBy(() -> ModelFolder.open(backend, folder, null))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(name)
                .hasMessageContaining(message);
    }

    /** A tied head may stand in the file beside the embedding, or in its place; another matrix there would be lost. */
    @Test
    void tiedHeads() {
        Path path = OracleModel.folder("llama-tied");
        Json.write(folder.resolve("config.json"), OracleModel.config("llama-tied"));
        try (Safetensors file = Safetensors.openFolder(path)) {
            Tensor embedding = file.tensors().get("model.embed_tokens.weight");
            Map<String, Tensor> tensors = new LinkedHashMap<>(file.tensors());
            tensors.put("lm_head.weight", named("lm_head.weight", embedding));
            Safetensors.write(folder.resolve("model.safetensors"), tensors.values(), Map.of());
            assertThat(scores(folder)).usingRecursiveComparison().isEqualTo(scores(path));
            tensors.remove(embedding.name());
            Safetensors.write(folder.resolve("model.safetensors"), tensors.values(), Map.of());
            assertThat(scores(folder)).usingRecursiveComparison().isEqualTo(scores(path));
            tensors.put(embedding.name(), embedding);
            Tensor other = file.tensors().get("model.layers.0.mlp.down_proj.weight");
            tensors.put(
                    "lm_head.weight",
                    new Tensor("lm_head.weight", other.buffer(), other.offset(), other.type(), embedding.shape()));
            Safetensors.write(folder.resolve("model.safetensors"), tensors.values(), Map.of());
            assertThatThrownBy(() -> ModelFolder.open(backend, folder, null))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("lm_head.weight differs from model.embed_tokens.weight")
                    .hasMessageContaining("tie_word_embeddings");
        }
    }

    private static Tensor named(String name, Tensor tensor) {
        return new Tensor(name, tensor.buffer(), tensor.offset(), tensor.type(), tensor.shape());
    }
}
