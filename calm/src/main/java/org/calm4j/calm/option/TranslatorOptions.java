package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.calm4j.calm.translate.HttpTranslator;
import org.calm4j.calm.translate.ModelTranslator;
import org.calm4j.calm.translate.TranslationFile;
import org.calm4j.calm.translate.Translator;
import org.calm4j.engine.model.ModelFolder;
import picocli.CommandLine.Option;

/** Who translates a response of another language: a part of {@link PairOptions}. */
@JsonAutoDetect(fieldVisibility = JsonAutoDetect.Visibility.ANY, getterVisibility = JsonAutoDetect.Visibility.NONE)
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public class TranslatorOptions {
    /** Who translates. */
    public enum Kind {
        NONE,
        /** The model, asked to. */
        MODEL,
        /** A service. */
        HTTP,
        /** Nobody any more: translations from a file. */
        FILE;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Option(
            names = "--translator",
            paramLabel = "none|model|http|file",
            description =
                    "Who translates a response of another language where the own one never sampled the voted answer: nobody "
                            + "(default), the model itself, a service, or a file. A translation counts only when it still gives the voted answer.")
    public Kind translator = Kind.NONE;

    @Option(
            names = "--translator-api",
            paramLabel = "libretranslate|deepl",
            description = "The interface of the service; the key is read from LIBRETRANSLATE_API_KEY or DEEPL_API_KEY.")
    public HttpTranslator.Api translatorApi = HttpTranslator.Api.LIBRETRANSLATE;

    @Option(
            names = "--translator-url",
            paramLabel = "URL",
            description = "Where the service is, such as http://localhost:5000.")
    public String translatorUrl;

    @Option(
            names = "--translations",
            paramLabel = "F.jsonl",
            description =
                    "The file of --translator file: source, target, text, translation. With model and http, what was translated is kept "
                            + "there and not asked for again.")
    public Path translations;

    @Option(
            names = "--translator-max-new-tokens",
            paramLabel = "N",
            description = "Tokens of the model's translation at most; default ${DEFAULT-VALUE}.")
    public int translatorMaxNewTokens = 512;

    /** What is translated is kept here where nothing else is said. */
    public TranslatorOptions keptIn(Path file) {
        translations =
                translations == null && (translator == Kind.MODEL || translator == Kind.HTTP) ? file : translations;
        return this;
    }

    /** @throws org.calm4j.engine.CalmException wrong usage: a value out of its range, or one that is missing */
    void check() {
        TrainingOptions.check(translatorMaxNewTokens > 0, "--translator-max-new-tokens must be at least 1");
        TrainingOptions.check(
                translator != Kind.FILE || translations != null, "--translator file needs --translations");
    }

    /**
     * Null without a translator.
     *
     * @param model for {@code model}; it stays open for as long as the translator is used
     * @throws org.calm4j.engine.CalmException wrong usage: something that the translator needs is missing
     */
    public Translator open(ModelFolder model, Map<String, String> environment) {
        check();
        TrainingOptions.check(translator != Kind.MODEL || model != null, "--translator model needs --model");
        Translator opened =
                switch (translator) {
                    case NONE -> null;
                    case MODEL -> new ModelTranslator(model, translatorMaxNewTokens);
                    case HTTP -> HttpTranslator.open(translatorApi, translatorUrl, environment);
                    case FILE -> TranslationFile.of(translations);
                };
        boolean remembers = translations != null && (translator == Kind.MODEL || translator == Kind.HTTP);
        return remembers ? TranslationFile.remembering(translations, opened) : opened;
    }
}
