package org.calm4j.engine.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Function;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.chat.Conversation;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Shards;
import org.calm4j.engine.io.StoredType;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.text.Tokenizer;

/**
 * A model on disk in the Hugging Face layout, opened.
 *
 * @param tokenizer null where the folder has none; token ids still work
 * @param chatTemplate how a conversation is written for the model; null without one
 */
public record ModelFolder(Path path, CausalLm model, Tokenizer tokenizer, ChatTemplate chatTemplate)
        implements AutoCloseable {
    private static final List<String> COMPANIONS = List.of(
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "merges.txt",
            "tokenizer.model",
            "chat_template.jinja",
            "chat_template.json",
            "generation_config.json",
            "prompts.yaml");

    /**
     * Weights are used as they are stored; an adapter can be trained, they cannot.
     *
     * @param adapter a PEFT folder; null without one
     * @throws CalmException bad input: files are missing, broken or do not fit together
     */
    public static ModelFolder open(Backend backend, Path folder, Path adapter) {
        return open(
                folder,
                config -> Parameters.open(backend, config, folder),
                config -> adapter == null ? null : Lora.load(backend, config, adapter));
    }

    /** A model whose weights are to be trained, all of them. */
    public static ModelFolder openToTrain(Backend backend, Path folder) {
        return open(folder, config -> Parameters.load(backend, config, folder), config -> null);
    }

    private static ModelFolder open(
            Path folder, Function<ModelConfig, Parameters> weights, Function<ModelConfig, Lora> adapter) {
        if (!Files.isDirectory(folder)) {
            throw CalmException.badInput(folder, "no such model folder");
        }
        ModelConfig plain = ConfigReader.read(folder.resolve("config.json"));
        Path generation = folder.resolve("generation_config.json");
        ModelConfig config = Files.exists(generation) ? ConfigReader.withGeneration(plain, generation) : plain;
        List<Integer> said = config == plain
                ? ConfigReader.namedEos(plain)
                : config.vocabulary().eos();
        // Of a large vocabulary it takes longer than the weights, which are only mapped.
        FutureTask<Text> reading = new FutureTask<>(() -> Text.read(folder, config));
        Thread.ofPlatform().daemon().name("tokenizer").start(reading);
        Parameters parameters = weights.apply(config);
        try {
            Text text = result(reading);
            return new ModelFolder(
                    folder,
                    new CausalLm(ending(config, said, text.tokenizer), parameters, adapter.apply(config)),
                    text.tokenizer,
                    text.chatTemplate);
        } catch (RuntimeException | Error e) {
            parameters.close();
            throw e;
        }
    }

    /**
     * Generation stops at the token that training texts end with, too, where the folder's configurations do not say at which it does.
     *
     * @param said the end-of-sequence tokens that they name
     */
    private static ModelConfig ending(ModelConfig config, List<Integer> said, Tokenizer tokenizer) {
        int end = tokenizer == null ? -1 : tokenizer.eosId();
        boolean stays = !said.isEmpty()
                || end < 0
                || end >= config.vocabulary().size()
                || config.vocabulary().eos().contains(end);
        return stays
                ? config
                : config.withEos(Stream.concat(Stream.of(end), config.vocabulary().eos().stream())
                        .toList());
    }

    private static Text result(FutureTask<Text> reading) {
        try {
            return reading.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw (RuntimeException) e.getCause();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw CalmException.failed("interrupted while reading the tokenizer", e);
        }
    }

    /** A model that was made and not read, with the tokenizer of a folder, where that has one. */
    public static ModelFolder of(Path folder, CausalLm model) {
        Text text = Text.read(folder, model.config());
        return new ModelFolder(folder, model, text.tokenizer, text.chatTemplate);
    }

    /** How text becomes ids; both null in a folder without a tokenizer. */
    private record Text(Tokenizer tokenizer, ChatTemplate chatTemplate) {
        static Text read(Path folder, ModelConfig config) {
            return Files.exists(folder.resolve("tokenizer.json"))
                    ? new Text(Tokenizer.read(folder, config.vocabulary().size()), ChatTemplate.read(folder))
                    : new Text(null, null);
        }
    }

    /** What the folder and the adapter hold that is not used, a line each: transformers passes over it as well. */
    public List<String> notes() {
        List<String> notes = new ArrayList<>();
        List<String> ignored = ConfigReader.ignored(model.config());
        if (!ignored.isEmpty()) {
            notes.add(path.resolve("config.json") + ": not used in this model_type: " + String.join(", ", ignored));
        }
        if (!model.parameters().surplus().isEmpty()) {
            notes.add(Parameters.leftOut(path, model.parameters().surplus()));
        }
        notes.addAll(model.lora() == null ? List.of() : model.lora().notes());
        return notes;
    }

    /** The same model with a fresh adapter, or with none. */
    public ModelFolder withLora(Lora lora) {
        return new ModelFolder(
                path, new CausalLm(model.config(), model.withoutAdapter().parameters(), lora), tokenizer, chatTemplate);
    }

    /** A question to the model as ids: one user turn where it has a chat template, else the text as it is. */
    public int[] promptIds(String question) {
        return promptIds(question, null);
    }

    /**
     * @param history turns before the question, each what was asked and what was answered, for a model with a chat template; null without
     */
    public int[] promptIds(String question, List<List<String>> history) {
        return chatTemplate == null
                ? requireTokenizer().encodePrompt(question)
                : Conversation.of(tokenizer, chatTemplate, question, history).prompt();
    }

    /** The tokenizer, which the caller cannot do without. */
    public Tokenizer requireTokenizer() {
        if (tokenizer == null) {
            throw CalmException.badInput(
                    path.resolve("tokenizer.json"), "missing; without it this model works on token ids only");
        }
        return tokenizer;
    }

    /**
     * Looks whether a folder may have a model, without reading it.
     *
     * @throws CalmException bad input: what it lacks
     */
    public static void check(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw CalmException.badInput(
                    folder, Files.exists(folder) ? "is not a folder with a model" : "no such model folder");
        }
        if (!Files.exists(folder.resolve("config.json"))) {
            throw CalmException.badInput(folder, "has no config.json; is it a model folder?");
        }
        if (!Shards.areIn(folder)) {
            throw CalmException.badInput(folder, "has no weights (model.safetensors, or its index)");
        }
    }

    /** Whether {@link #save} may write a file of this name. */
    public static boolean isSaved(String name) {
        return COMPANIONS.contains(name)
                || name.equals("config.json")
                || name.equals(Lora.WEIGHTS)
                || name.equals(AdapterConfig.FILE)
                || Shards.isWeights(name);
    }

    /**
     * Writes what training changes: the adapter where there is one, else the whole model with its tokenizer. The folder exists.
     *
     * @param type of a whole model's weights; null for the types that they came in
     */
    public void save(Path folder, DType type) {
        if (model.lora() != null) {
            model.lora().save(folder, path.toString());
            return;
        }
        for (String name : COMPANIONS) {
            Path file = path.resolve(name);
            if (Files.exists(file) && !path.equals(folder)) {
                AtomicFile.write(folder.resolve(name), out -> Files.copy(file, out));
            }
        }
        DType stored =
                type == null ? model.parameters().stored(model.parameters().embedding()) : type;
        Json.write(folder.resolve("config.json"), model.config().toJson(stored));
        try (Arena arena = Arena.ofShared()) {
            List<Tensor> tensors = model.parameters().tensors().stream()
                    .map(w -> stored(w, type, arena))
                    .toList();
            Shards.write(folder, tensors, StoredType.KEPT, Shards.DEFAULT_MAX_BYTES);
        }
    }

    /** A weight in host memory, in the type that it is saved in: itself where it is that already. */
    private Tensor stored(Tensor weight, DType type, Arena arena) {
        DType stored = type == null ? model.parameters().stored(weight) : type;
        if (weight.type() == stored && model.backend().onHost()) {
            return weight;
        }
        MemorySegment memory = arena.allocate(weight.size() * stored.bytes(), HostBuffer.ALIGNMENT);
        Tensor copy = new Tensor(weight.name(), new HostBuffer(memory, arena), 0, stored, weight.shape());
        model.backend().copy(copy, weight);
        return copy;
    }

    /** The file below a saved folder that has the trained weights; cut into shards, it is its index that has this name and .index.json. */
    public String weightsFile() {
        return model.lora() == null ? "model.safetensors" : Lora.WEIGHTS;
    }

    @Override
    public void close() {
        if (model.lora() != null) {
            model.lora().close();
        }
        model.parameters().close();
    }
}
