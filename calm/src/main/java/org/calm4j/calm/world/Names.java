package org.calm4j.calm.world;

import com.ibm.icu.text.LocaleDisplayNames;
import com.ibm.icu.util.ULocale;

/** CLDR's names in one language. The words of a name are joined by no-break spaces, so that a name is one word of a text. */
final class Names {
    private static final char NO_BREAK_SPACE = '\u00A0';

    private final LocaleDisplayNames cldr;

    Names(String language) {
        cldr = LocaleDisplayNames.getInstance(ULocale.forLanguageTag(language));
    }

    String territory(String code) {
        return joined(cldr.regionDisplayName(code));
    }

    String value(Relation relation, String code) {
        return joined(switch (relation) {
            case REGION -> cldr.regionDisplayName(code);
            case LANGUAGE -> cldr.languageDisplayName(code);
        });
    }

    private static String joined(String name) {
        return name.strip().replace(' ', NO_BREAK_SPACE);
    }
}
