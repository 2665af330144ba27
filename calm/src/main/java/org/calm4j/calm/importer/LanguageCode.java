package org.calm4j.calm.importer;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The two letters of ISO 639-1 for the various names of a language in files: {@code zh}, {@code cn}, {@code ZH_CN}, {@code zho_Hans},
 * {@code Chinese}.
 */
public final class LanguageCode {
    private static final List<String> TWO_LETTERS = List.of(Locale.getISOLanguages());
    private static final Map<String, String> OTHERS = others();

    private LanguageCode() {}

    private static Map<String, String> others() {
        // Countries in place of languages, and the codes by which FLORES tells Standard Arabic, Nepali and others from
        // their group.
        Map<String, String> others = new HashMap<>(
                Map.of("cn", "zh", "jp", "ja", "arb", "ar", "npi", "ne", "swh", "sw", "pes", "fa", "lvs", "lv"));
        others.putAll(Map.of(
                "zsm", "ms", "nob", "no", "als", "sq", "ory", "or", "khk", "mn", "plt", "mg", "uzn", "uz", "azj",
                "az"));
        TWO_LETTERS.forEach(code ->
                others.put(Locale.of(code).getDisplayLanguage(Locale.ENGLISH).toLowerCase(Locale.ROOT), code));
        TWO_LETTERS.forEach(code -> others.putIfAbsent(Locale.of(code).getISO3Language(), code));
        return others;
    }

    /** Null if the language is not known. */
    public static String of(String written) {
        String code = written.strip().toLowerCase(Locale.ROOT).split("[-_]", 2)[0];
        return OTHERS.getOrDefault(code, TWO_LETTERS.contains(code) ? code : null);
    }
}
