package org.calm4j.calm.option;

import com.fasterxml.jackson.annotation.JsonValue;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.calm4j.calm.translate.HttpTranslator;
import org.calm4j.calm.translate.ModelTranslator;
import org.calm4j.calm.translate.TranslationFile;
import org.calm4j.calm.translate.Translator;
import org.calm4j.engine.Setting;
import org.calm4j.engine.model.ModelFolder;

/** The translator of a response of another language: a part of {@link PairOptions}. */
@OptionRecord
public record TranslatorOptions(
        @Option(
                value =
                        "Translator of a response of another language, used if a language never sampled the voted answer: none "
                                + "(default), the model itself, a service, or a file. A translation counts only when it still gives the voted answer.",
                standard = "none")
        Kind translator,

        @Option(
                value = "Interface of the service; the key is read from LIBRETRANSLATE_API_KEY or DEEPL_API_KEY.",
                label = "libretranslate|deepl",
                standard = "LIBRETRANSLATE")
        HttpTranslator.Api translatorApi,

        @Option(value = "Address of the service, such as http://localhost:5000.", label = "URL")
        String translatorUrl,

        @Option(
                value =
                        "The file of {translator} file: source, target, text, translation. With model and http, translations are "
                                + "kept there and not requested again.",
                label = "FILE")
        Path translations,

        @Option(
                value = "Maximum tokens of the model's translation; default ${DEFAULT-VALUE}.",
                label = "N",
                standard = "512")
        int translatorMaxNewTokens) {
    /** The kind of translator. */
    public enum Kind {
        NONE,
        /** The model, asked to. */
        MODEL,
        /** A service. */
        HTTP,
        /** Translations from a file. */
        FILE;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public TranslatorOptions {
        Setting.of("translator_max_new_tokens").check(translatorMaxNewTokens > 0, "must be at least 1");
        Setting.of("translator")
                .at(Kind.FILE)
                .check(translator != Kind.FILE || translations != null, "needs ", Setting.of("translations"));
    }

    /** The same, with this file for translations unless another one is given. */
    TranslatorOptions keptIn(Path file) {
        return remembers() && translations == null
                ? new TranslatorOptions(translator, translatorApi, translatorUrl, file, translatorMaxNewTokens)
                : this;
    }

    private boolean remembers() {
        return translator == Kind.MODEL || translator == Kind.HTTP;
    }

    /**
     * Null without a translator.
     *
     * @param model for {@code model}; it stays open for as long as the translator is used
     * @throws org.calm4j.engine.CalmException wrong usage: something that the translator needs is missing
     */
    public Translator open(ModelFolder model, Map<String, String> environment) {
        Setting.of("translator")
                .at(Kind.MODEL)
                .check(translator != Kind.MODEL || model != null, "needs ", Setting.of("model"));
        Translator opened =
                switch (translator) {
                    case NONE -> null;
                    case MODEL -> new ModelTranslator(model, translatorMaxNewTokens);
                    case HTTP -> HttpTranslator.open(translatorApi, translatorUrl, environment);
                    case FILE -> TranslationFile.of(translations);
                };
        return translations != null && remembers() ? TranslationFile.remembering(translations, opened) : opened;
    }
}
