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
 * @param tokenizer null if the folder has none; token ids still work
 * @param chatTemplate the model's format of conversations; null without one
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
     * Opens a model whose weights are used as stored; an adapter can be trained, the weights cannot.
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

    /** A model for training all of its weights. */
    public static ModelFolder openToTrain(Backend backend, Path folder) {
        return open(folder, config -> Parameters.load(backend, config, folder), config -> null);
    }

    private static ModelFolder open(
            Path folder, Function<ModelConfig, Parameters> weights, Function<ModelConfig, Lora> adapter) {
        if (!Files.isDirectory(folder)) {
            throw CalmException.badInput(folder, "no such model folder");
        }
        checkNoAdapterAlone(folder);
        ModelConfig plain = ConfigReader.read(folder.resolve("config.json"));
        Path generation = folder.resolve("generation_config.json");
        ModelConfig config = Files.exists(generation) ? ConfigReader.withGeneration(plain, generation) : plain;
        List<Integer> said = config == plain
                ? ConfigReader.namedEos(plain)
                : config.vocabulary().eos();
        // A large vocabulary takes longer to read than the weights, which are only mapped.
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
     * Generation also stops at the token that ends training texts, if the folder's configurations name no end-of-sequence token.
     *
     * @param said the end-of-sequence tokens in the configurations
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

    /** A new model with the tokenizer of a folder, if that has one. */
    public static ModelFolder of(Path folder, CausalLm model) {
        Text text = Text.read(folder, model.config());
        return new ModelFolder(folder, model, text.tokenizer, text.chatTemplate);
    }

    /** The path from text to ids; both null in a folder without a tokenizer. */
    private record Text(Tokenizer tokenizer, ChatTemplate chatTemplate) {
        static Text read(Path folder, ModelConfig config) {
            return Files.exists(folder.resolve("tokenizer.json"))
                    ? new Text(Tokenizer.read(folder, config.vocabulary().size()), ChatTemplate.read(folder))
                    : new Text(null, null);
        }
    }

    /** The unused parts of the folder and the adapter, one line each; transformers ignores them, too. */
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

    /** The same model with a new adapter, or without one. */
    public ModelFolder withLora(Lora lora) {
        return with(new CausalLm(model.config(), model.withoutAdapter().parameters(), lora));
    }

    /** The same folder with its model seen otherwise, such as tapped; closing either closes both. */
    public ModelFolder with(CausalLm other) {
        return new ModelFolder(path, other, tokenizer, chatTemplate);
    }

    /** A question to the model as ids: one user turn if it has a chat template, else the plain text. */
    public int[] promptIds(String question) {
        return promptIds(question, null);
    }

    /**
     * @param history earlier turns, each a question and its answer, for a model with a chat template; null without
     */
    public int[] promptIds(String question, List<List<String>> history) {
        return chatTemplate == null
                ? requireTokenizer().encodePrompt(question)
                : Conversation.of(tokenizer, chatTemplate, question, history).prompt();
    }

    /** The tokenizer, for callers that need one. */
    public Tokenizer requireTokenizer() {
        if (tokenizer == null) {
            throw CalmException.badInput(
                    path.resolve("tokenizer.json"), "missing; without it this model works on token ids only");
        }
        return tokenizer;
    }

    /**
     * Checks that a folder appears to have a model, without reading it.
     *
     * @throws CalmException bad input: a part is missing
     */
    public static void check(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw CalmException.badInput(
                    folder, Files.exists(folder) ? "is not a folder with a model" : "no such model folder");
        }
        checkNoAdapterAlone(folder);
        if (!Files.exists(folder.resolve("config.json"))) {
            throw CalmException.badInput(folder, "has no config.json; is it a model folder?");
        }
        if (!Shards.areIn(folder)) {
            throw CalmException.badInput(folder, "has no weights (model.safetensors, or its index)");
        }
    }

    private static void checkNoAdapterAlone(Path folder) {
        if (Files.exists(folder.resolve(AdapterConfig.FILE)) && !Files.exists(folder.resolve("config.json"))) {
            throw CalmException.badInput(
                    folder, "has an adapter and no model; give its base as the model, and this folder as the adapter");
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
     * Writes what training changes: the adapter if there is one, else the whole model with its tokenizer. The folder exists.
     *
     * @param type of a whole model's weights; null for their original types
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

    /** A weight in host memory in the type to save; itself if it has that type. */
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

    /** Name of the weights file in a saved folder; if sharded, its index is NAME.index.json. */
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
