package org.calm4j.calm.translate;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.calm.data.Document;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelTranslatorTest {
    private static final Translator.Request REQUEST = new Translator.Request("The answer is A", "en", "fr");

    @TempDir
    private Path folder;

    @Test
    void asksInTheLanguageThatItTranslatesInto() {
        assertThat(ModelTranslator.prompt(REQUEST))
                .startsWith("Traduisez le texte suivant (anglais) en français.")
                .contains("\n\nThe answer is A\n\n");
        assertThat(ModelTranslator.prompt(new Translator.Request("{target} {text}", "zh", "tr")))
                .contains("from Chinese into Turkish")
                .contains("{target} {text}");
    }

    /** A model that has learnt one translation by heart gives it; one that is cut off gives none. */
    @Test
    void givesWhatTheModelWrites() {
        Set<String> words = new LinkedHashSet<>();
        words.addAll(Arrays.asList(ModelTranslator.prompt(REQUEST).split("\\s+")));
        words.addAll(List.of("La", "réponse", "est", "A"));
        Tokenizer tokenizer = Tokenizer.wordLevel(List.copyOf(words), "<unk>", "<eos>");
        Path start = folder.resolve("start");
        AtomicFile.directories(start);
        tokenizer.save(start);
        ModelConfig config = Llama.config(tokenizer.size(), 16, 24, 2, 2, 1, 128, tokenizer.eosId());
        Json.write(start.resolve("config.json"), config.toJson(DType.F32));
        Jsonl.write(
                folder.resolve("data.jsonl"),
                List.of(Document.of(ModelTranslator.prompt(REQUEST), "La réponse est A")));
        TrainingOptions options = Options.make(TrainingOptions.class, Map.of("max_steps", 40, "learning_rate", 0.02));
        try (Backend backend = Backends.open("cpu", 1)) {
            try (Parameters parameters = Parameters.random(backend, config, 5)) {
                Safetensors.write(
                        start.resolve("model.safetensors"), parameters.slab().tensors(), Map.of("format", "pt"));
            }
            Path trained = folder.resolve("trained");
            SavingOptions saving = Options.standard(SavingOptions.class);
            new TrainStage("sft", start, null, null, folder.resolve("data.jsonl"), trained, options, null, saving, 1)
                    .run(backend, Progress.NONE);
            try (ModelFolder model = ModelFolder.open(backend, trained, null)) {
                assertThat(new ModelTranslator(model, 16).translate(List.of(REQUEST, REQUEST)))
                        .containsExactly("La réponse est A", "La réponse est A");
                ModelTranslator brief = new ModelTranslator(model, 3);
                assertThat(brief.translate(List.of(REQUEST))).containsExactly((String) null);
                assertThat(brief.leftOut()).hasSize(1).containsValue(1);
                // One text that does not fit is no end of the others.
                ModelTranslator translator = new ModelTranslator(model, 16);
                Translator.Request endless = new Translator.Request("answer ".repeat(200), "en", "fr");
                assertThat(translator.translate(List.of(endless, REQUEST))).containsExactly(null, "La réponse est A");
                assertThat(translator.translate(List.of(endless))).containsExactly((String) null);
                assertThat(translator.leftOut()).hasSize(1).containsValue(2);
            }
        }
    }
}
