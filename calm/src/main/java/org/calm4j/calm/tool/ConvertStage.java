package org.calm4j.calm.tool;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.calm4j.calm.convert.Llama2Checkpoint;
import org.calm4j.calm.convert.Llama2Tokenizer;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.Family;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputLock;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.io.Shards;
import org.calm4j.engine.io.StoredType;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Converts a model from one form into another, in a folder that appears whole.
 *
 * @param model a model folder, or a {@code .bin} of llama2.c
 * @param adapter a PEFT folder that is merged into the weights; null without one
 * @param tokenizer the {@code tokenizer.bin} that belongs to a {@code .bin}; null without one
 * @param type of the weights; null keeps what they have
 * @param maxShardBytes of a file of weights
 */
public record ConvertStage(Path model, Path adapter, Path tokenizer, Path output, DType type, long maxShardBytes) {
    private static final String CONFIG = "config.json";
    /** Weights in any form; all other files of a folder are copied unchanged. */
    private static final String WEIGHTS = ".*\\.(safetensors|bin|pt|pth|ckpt|gguf|onnx|h5|msgpack|index\\.json)";

    /** @throws CalmException bad input: no such model, or the output is not empty */
    public void run(Progress progress) {
        try (OutputLock _ = OutputLock.beside(output, progress::say)) {
            convert(progress);
        }
    }

    private void convert(Progress progress) {
        if (holdsFiles(AtomicFile.place(output))) {
            throw CalmException.badInput(
                    output, "has files already; choose another ", Setting.OUTPUT, ", or remove it");
        }
        if (!Files.isDirectory(model)) {
            if (adapter != null) {
                throw CalmException.usage(Setting.of("adapter"), " needs a model folder; convert the .bin first");
            }
            ofLlama2(progress);
            return;
        }
        if (tokenizer != null) {
            throw CalmException.usage(Setting.of("tokenizer"), " needs a .bin of llama2.c; a model folder has its own");
        }
        ofFolder(progress);
    }

    private static boolean holdsFiles(Path folder) {
        if (!Files.exists(folder)) {
            return false;
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.findAny().isPresent();
        } catch (IOException e) {
            throw CalmException.badInput(folder, "is not a folder, or cannot be read", e);
        }
    }

    private void ofLlama2(Progress progress) {
        try (Llama2Checkpoint checkpoint = Llama2Checkpoint.open(model)) {
            AtomicFile.folder(output, folder -> {
                if (tokenizer != null) {
                    Llama2Tokenizer.convert(tokenizer, checkpoint.vocabulary(), folder);
                }
                Json.write(folder.resolve(CONFIG), typed(checkpoint.config()));
                Json.write(folder.resolve("generation_config.json"), checkpoint.generationConfig());
                weights(folder, checkpoint.tensors(), UnaryOperator.identity(), progress);
            });
        }
    }

    private void ofFolder(Progress progress) {
        if (!(Json.read(model.resolve(CONFIG), JsonNode.class) instanceof ObjectNode config)) {
            throw CalmException.badInput(model.resolve(CONFIG), "not a JSON object");
        }
        if (adapter != null) {
            try (Backend backend = Backends.open("cpu", 0);
                    ModelFolder merging = ModelFolder.open(backend, model, adapter)) {
                merging.notes().forEach(note -> progress.say("calm: " + note));
                if (merging.model().parameters().head()
                        != merging.model().parameters().embedding()) {
                    // The adapter has its own head, or an embedding that the head does not share.
                    config.put("tie_word_embeddings", false);
                }
                write(
                        config,
                        merging.model().parameters().tensors(),
                        weight -> merging.model().lora().merged(weight, type),
                        progress);
            }
            return;
        }
        try (Safetensors weights = Safetensors.openFolder(model, Family::isBufferOfAny)) {
            write(config, weights.tensors().values(), UnaryOperator.identity(), progress);
        }
    }

    private void write(
            ObjectNode config, Collection<Tensor> tensors, UnaryOperator<Tensor> content, Progress progress) {
        AtomicFile.folder(output, folder -> {
            copyOthers(folder);
            Json.write(folder.resolve(CONFIG), typed(config));
            weights(folder, tensors, content, progress);
        });
    }

    private void weights(Path folder, Collection<Tensor> tensors, UnaryOperator<Tensor> content, Progress progress) {
        progress.start("convert", tensors.size());
        int[] done = {0};
        try {
            Shards.write(folder, tensors, new StoredType(type), maxShardBytes, tensor -> {
                progress.at(++done[0], tensor.name());
                return content.apply(tensor);
            });
        } finally {
            progress.end();
        }
    }

    private void copyOthers(Path folder) {
        List<Path> others;
        try (Stream<Path> files = Files.list(model)) {
            others = files.filter(Files::isRegularFile)
                    .filter(file -> {
                        String name = file.getFileName().toString();
                        return !name.startsWith(".")
                                && !name.toLowerCase(Locale.ROOT).matches(WEIGHTS)
                                && !name.equals(CONFIG);
                    })
                    .toList();
            for (Path other : others) {
                Files.copy(other, folder.resolve(other.getFileName()));
            }
        } catch (IOException e) {
            throw CalmException.failed(model + ": copying failed (" + e.getMessage() + ")", e);
        }
    }

    private ObjectNode typed(ObjectNode config) {
        ObjectNode typed = config.deepCopy();
        if (type != null) {
            String name =
                    switch (type) {
                        case F32 -> "float32";
                        case BF16 -> "bfloat16";
                        case F16 -> "float16";
                        default -> throw CalmException.usage("weights cannot be stored as " + type);
                    };
            // Newer files say dtype.
            typed.put(typed.has("dtype") ? "dtype" : "torch_dtype", name);
        }
        return typed;
    }
}
