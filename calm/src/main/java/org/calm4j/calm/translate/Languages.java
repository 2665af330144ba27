package org.calm4j.calm.translate;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.Character.UnicodeScript;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Whether a text is in the language that it should be in, by scripts and function words from {@code languages.yaml}. It objects to what is
 * plainly another language: wrong script, or the function words of another language. A text that is too short to tell passes, as does a
 * language that the
 * file does not know.
 */
public final class Languages {
    /** Function words of another language that a text needs before it counts as that language's. */
    private static final int LEAST_WORDS = 3;
    /** Letters that a text needs before its script counts. */
    private static final int LEAST_LETTERS = 8;

    /** @param words function words, lower case; empty for a language that its script tells */
    private record Language(Set<UnicodeScript> scripts, Set<String> words) {
        private Language {
            words = words == null ? Set.of() : words;
        }
    }

    private static final Map<String, Language> ALL = load();
    private static final List<String> CODES = List.copyOf(ALL.keySet());
    /** Function word to the languages that have it, as bits by their place in the file. */
    private static final Map<String, Long> WORDS = words();

    private Languages() {
    }

    /** Whether a text in this language can be told from others. */
    public static boolean isKnown(String language) {
        return ALL.containsKey(language);
    }

    /** @param language ISO 639-1 */
    public static boolean plausible(String text, String language) {
        Language own = ALL.get(language);
        if (own == null) {
            return true;
        }
        int[] letters = new int[UnicodeScript.values().length];
        List<Long> words = new ArrayList<>();
        int all = scan(text, letters, words);
        return all < LEAST_LETTERS || scripts(letters, all, own, language)
                && (own.words.isEmpty() || words(words, CODES.indexOf(language)));
    }

    /** Counts letters by script and collects the function words of any language; returns the number of letters. */
    private static int scan(String text, int[] letters, List<Long> words) {
        int all = 0;
        StringBuilder word = new StringBuilder();
        for (int at = 0; at < text.length();) {
            int c = text.codePointAt(at);
            at += Character.charCount(c);
            boolean letter = Character.isLetter(c);
            if (letter) {
                all++;
                letters[(c < 128 ? UnicodeScript.LATIN : UnicodeScript.of(c)).ordinal()]++;
            }
            boolean inWord = letter || Character.getType(c) == Character.NON_SPACING_MARK;
            if (inWord) {
                word.appendCodePoint(Character.toLowerCase(c));
            }
            if (!word.isEmpty() && (!inWord || at == text.length())) {
                Long languages = WORDS.get(word.toString());
                if (languages != null) {
                    words.add(languages);
                }
                word.setLength(0);
            }
        }
        return all;
    }

    private static boolean scripts(int[] letters, int all, Language own, String language) {
        int right = own.scripts.stream().mapToInt(script -> letters[script.ordinal()]).sum();
        int kana = letters[UnicodeScript.HIRAGANA.ordinal()] + letters[UnicodeScript.KATAKANA.ordinal()];
        boolean chinese = kana * 20 < letters[UnicodeScript.HAN.ordinal()];
        return 2 * right >= all && (!language.equals("ja") || !chinese) && (!language.equals("zh") || kana * 10 <= all);
    }

    private static boolean words(List<Long> words, int own) {
        for (int other = 0; other < CODES.size(); other++) {
            int theirs = 0;
            int ours = 0;
            for (long languages : words) {
                boolean here = (languages >> own & 1) == 1;
                boolean there = (languages >> other & 1) == 1;
                theirs += there && !here ? 1 : 0;
                ours += here && !there ? 1 : 0;
            }
            if (theirs >= LEAST_WORDS && theirs > 2 * ours) {
                return false;
            }
        }
        return true;
    }

    private static Map<String, Long> words() {
        Map<String, Long> words = new HashMap<>();
        for (int i = 0; i < CODES.size(); i++) {
            long bit = 1L << i;
            ALL.get(CODES.get(i)).words.forEach(word -> words.merge(word, bit, (a, b) -> a | b));
        }
        return words;
    }

    private static Map<String, Language> load() {
        try (InputStream in = Languages.class.getResourceAsStream("languages.yaml")) {
            return new YAMLMapper().readValue(in, new TypeReference<LinkedHashMap<String, Language>>() { });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
