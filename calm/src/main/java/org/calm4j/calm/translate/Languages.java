package org.calm4j.calm.translate;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.Character.UnicodeScript;
import java.nio.charset.Charset;
import java.nio.charset.CharsetEncoder;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Whether a text is in the language that it should be in, by scripts and function words from {@code languages.yaml}. It objects to what is
 * plainly another language: wrong script, or the function words of another language. Whatever may be in either passes: a text that is too
 * short to tell, Japanese in kanji alone, a language that the file does not know.
 */
public final class Languages {
    /** Function words of another language that a text needs before it counts as that language's. */
    private static final int LEAST_WORDS = 3;
    /** Letters that a text needs before its script counts. */
    private static final int LEAST_LETTERS = 8;
    /** Chinese-only characters that a text in Han characters needs before it cannot be Japanese. */
    private static final int LEAST_CHINESE = 2;

    private static final int FIRST_HAN = 0x4E00;
    private static final int LAST_HAN = 0x9FFF;

    /**
     * @param words function words, lower case; empty for a language that its script tells
     * @param answer words that announce an answer, lower case
     * @param letters frequent ones that another language of the same script does not use; may be empty
     */
    private record Language(Set<UnicodeScript> scripts, Set<String> words, Set<String> answer, String letters) {
        private Language {
            words = words == null ? Set.of() : words;
            letters = letters == null ? "" : letters;
            answer = answer == null ? Set.of() : answer;
        }

        boolean has(String word) {
            return words.contains(word) || answer.contains(word);
        }
    }

    /** What a short text reveals about its language. */
    public enum Sign {
        /** It is, as far as can be seen, in the expected language. */
        OWN,
        /** It is in another language. */
        OTHER,
        /** The text is too short to say. */
        NONE
    }

    private static final Pattern WORD = Pattern.compile("[^\\p{L}\\p{M}]+");
    /** A word of one letter. */
    private static final Pattern LABEL = Pattern.compile("(?<![\\p{L}\\p{M}])\\p{IsLatin}(?![\\p{L}\\p{M}])");

    private static final Map<String, Language> ALL = load();
    private static final List<String> CODES = List.copyOf(ALL.keySet());
    /** Characters that are Chinese and not Japanese. */
    private static final BitSet CHINESE = chinese();
    /** Each function word with its languages, as bits by their place in the file. */
    private static final Map<String, Long> WORDS = words();

    private Languages() {}

    /** Whether texts in this language can be told from other languages. */
    public static boolean isKnown(String language) {
        return ALL.containsKey(language);
    }

    /** Whether {@link #plausible} can say anything of a text at all: an empty one, "B" and "42." are in no language. */
    public static boolean canTell(String text, String language) {
        return isKnown(language)
                && text.codePoints()
                                .filter(c -> script(c) != UnicodeScript.COMMON)
                                .limit(LEAST_LETTERS)
                                .count()
                        == LEAST_LETTERS;
    }

    /** @param language ISO 639-1 */
    public static boolean plausible(String text, String language) {
        Language own = ALL.get(language);
        if (own == null) {
            return true;
        }
        int[] letters = new int[UnicodeScript.values().length];
        List<Long> words = new ArrayList<>();
        String composed = Normalizer.normalize(text, Normalizer.Form.NFC);
        int all = scan(composed, letters, words);
        return all < LEAST_LETTERS
                || scripts(letters, all, own)
                        && switch (language) {
                            case "zh" -> kana(letters) * 10 <= all;
                            case "ja" ->
                                kana(letters) * 20 >= letters[UnicodeScript.HAN.ordinal()] || !isChinese(composed);
                            default -> own.words.isEmpty() || words(words, CODES.indexOf(language));
                        };
    }

    /** The script of a letter; COMMON for other characters and for letters without a script, such as the Japanese long vowel mark. */
    private static UnicodeScript script(int c) {
        return !Character.isLetter(c) ? UnicodeScript.COMMON : c < 128 ? UnicodeScript.LATIN : UnicodeScript.of(c);
    }

    /**
     * The language of one sentence, where {@link #plausible} needs a longer text: one word that announces an answer is enough, or two function words.
     * Words of one letter may be labels and do not count.
     *
     * @param language ISO 639-1, one that {@link #isKnown}
     */
    public static Sign sign(String text, String language) {
        Sign words = wordSign(text, language);
        if (words != Sign.NONE) {
            return words;
        }
        Language own = ALL.get(language);
        int[] letters = new int[UnicodeScript.values().length];
        int all = scan(LABEL.matcher(text).replaceAll(" "), letters, new ArrayList<>());
        int right = own.scripts.stream()
                .mapToInt(script -> letters[script.ordinal()])
                .sum();
        if (all > 0 && 2 * right >= all) {
            boolean told = own.words.isEmpty() && plausible(text, language);
            return told ? Sign.OWN : own.words.isEmpty() ? Sign.OTHER : Sign.NONE;
        }
        // Names keep their Latin letters everywhere; other letters do not occur in texts of another script.
        int foreign = all - right - letters[UnicodeScript.LATIN.ordinal()];
        return all >= LEAST_LETTERS || foreign >= 2 ? Sign.OTHER : Sign.NONE;
    }

    /** The same by words alone: names in other letters do not count. */
    public static Sign wordSign(String text, String language) {
        int own = 0;
        int[] others = new int[CODES.size()];
        boolean[] announced = new boolean[CODES.size()];
        for (String word : WORD.split(text.toLowerCase(Locale.ROOT))) {
            if (word.codePointCount(0, word.length()) < 2) {
                continue;
            }
            own += ALL.get(language).has(word) ? 1 : 0;
            for (int i = 0; i < others.length; i++) {
                Language other = ALL.get(CODES.get(i));
                others[i] += other.has(word) ? 1 : 0;
                announced[i] |= other.answer.contains(word);
            }
        }
        int most = Arrays.stream(others).max().orElse(0);
        if (own > 0 && own >= most) {
            return Sign.OWN;
        }
        boolean announces = false;
        for (boolean each : announced) {
            announces |= each;
        }
        return most - own >= 2 && most > 2 * own || own == 0 && announces ? Sign.OTHER : Sign.NONE;
    }

    /** Counts letters by script and collects the function words of any language; returns the number of letters. */
    private static int scan(String text, int[] letters, List<Long> words) {
        int all = 0;
        StringBuilder word = new StringBuilder();
        for (int at = 0; at < text.length(); ) {
            int c = text.codePointAt(at);
            at += Character.charCount(c);
            UnicodeScript script = script(c);
            boolean letter = script != UnicodeScript.COMMON;
            if (letter) {
                all++;
                letters[script.ordinal()]++;
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

    private static boolean scripts(int[] letters, int all, Language own) {
        return 2
                        * own.scripts.stream()
                                .mapToInt(script -> letters[script.ordinal()])
                                .sum()
                >= all;
    }

    private static int kana(int[] letters) {
        return letters[UnicodeScript.HIRAGANA.ordinal()] + letters[UnicodeScript.KATAKANA.ordinal()];
    }

    private static boolean isChinese(String text) {
        return text.codePoints().filter(CHINESE::get).limit(LEAST_CHINESE).count() == LEAST_CHINESE;
    }

    // Those that no Japanese standard has, above all simplified ones, and those that only older Japanese has.
    private static BitSet chinese() {
        CharsetEncoder japanese = Charset.forName("Shift_JIS").newEncoder();
        BitSet chinese = new BitSet();
        IntStream.range(FIRST_HAN, LAST_HAN)
                .filter(c -> !japanese.canEncode((char) c))
                .forEach(chinese::set);
        ALL.get("zh").letters.codePoints().forEach(chinese::set);
        return chinese;
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
            return new YAMLMapper().readValue(in, new TypeReference<LinkedHashMap<String, Language>>() {});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
