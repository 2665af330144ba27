package org.calm4j.engine.config;

import java.util.List;
import java.util.Optional;

/**
 * A family of models: what its {@code config.json} means and how its files name their tensors. Each is one file beside this one, and
 * nothing else in the engine knows its name; see {@code docs/add-a-family.md}.
 */
public sealed interface Family permits Gpt2, Llama, Mistral, Qwen2, Qwen3 {
    /** All families, in the order in which messages name them. */
    List<Family> ALL = List.of(new Llama(), new Mistral(), new Qwen2(), new Qwen3(), new Gpt2());

    static Optional<Family> of(String modelType) {
        return ALL.stream()
                .filter(family -> family.modelType().equals(modelType))
                .findFirst();
    }

    /** The {@code model_type} of its {@code config.json}. */
    String modelType();

    /**
     * The model that the fields describe; a missing field has transformers' default, except for sizes.
     *
     * @throws org.calm4j.engine.CalmException bad input: a field that is broken, or that would change the arithmetic and is not supported;
     *     named
     */
    ModelConfig read(ConfigFields fields);

    /** Fields with a value that neither transformers nor we use in this family. */
    List<String> ignored(ConfigFields fields);

    WeightLayout layout();

    /** The tokenizer class of a folder whose files name none. */
    TokenizerClass tokenizer();

    /**
     * A class of transformers, with the default of its constructor.
     *
     * @param name without "Fast"
     * @param end the token that ends a sequence if nothing names one
     */
    record TokenizerClass(String name, String end) {}

    /** Whether old files of some family have this tensor although it is not a weight; for models of an unknown family. */
    static boolean isBufferOfAny(String name) {
        return ALL.stream().anyMatch(family -> family.layout().isBuffer(name));
    }
}
