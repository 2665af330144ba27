package org.calm4j.calm.world;

import com.ibm.icu.text.LocaleDisplayNames;
import com.ibm.icu.util.ULocale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** CLDR's names in one language. The words of a name are joined by no-break spaces, so that a name is one word of a text. */
final class Names {
    private static final char NO_BREAK_SPACE = '\u00A0';
    // CLDR looks a name up in microseconds, but every text asks for several.
    private static final Map<String, Names> BY_LANGUAGE = new ConcurrentHashMap<>();

    private final LocaleDisplayNames cldr;
    private final Map<String, String> places = new ConcurrentHashMap<>();
    private final Map<String, String> languages = new ConcurrentHashMap<>();

    private Names(String language) {
        cldr = LocaleDisplayNames.getInstance(ULocale.forLanguageTag(language));
    }

    static Names in(String language) {
        return BY_LANGUAGE.computeIfAbsent(language, Names::new);
    }

    String territory(String code) {
        return places.computeIfAbsent(code, key -> joined(cldr.regionDisplayName(key)));
    }

    String value(Relation relation, String code) {
        return switch (relation) {
            case REGION -> territory(code);
            case LANGUAGE -> languages.computeIfAbsent(code, key -> joined(cldr.languageDisplayName(key)));
        };
    }

    private static String joined(String name) {
        return name.strip().replace(' ', NO_BREAK_SPACE);
    }
}
