package org.calm4j.calm.extract;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * How languages state answers, from {@code grammar/LANGUAGE.yaml}: a few lists of phrases each, what they are for says {@link Word}. All
 * languages are looked for together, since a model often answers in another language than it was asked; a tree of characters finds the
 * longest phrase at a place in time that is bounded by the longest phrase there is. Short words, such as "non" and "no", count only in
 * the languages that a text is written in ({@link #languages}).
 */
final class Grammar {
    static final List<String> LANGUAGES = List.of(
            "any", "ar", "bn", "de", "en", "es", "fa", "fr", "he", "hi", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru",
            "sw", "th", "tr", "vi", "zh");
    /** A language counts as one of a text's where it has at least this part of the marks of the one that has most. */
    private static final int LEAST_PART = 4;
    /** What tells that a text is in a language. */
    private static final Word[] EVIDENCE = {Word.MARK, Word.ANSWER, Word.CHOICE, Word.CONCLUSION, Word.REFUSAL};

    private static final Word[] WORDS = Word.values();
    static final Grammar ALL = new Grammar(LANGUAGES);

    /** A place in the tree: which words end here, and what goes on with which character. */
    private static final class Node {
        /** For each kind of words the languages, as bits, in which one ends here; null where none does. */
        private int[] languages;

        private char[] characters = {};
        private Node[] next = {};

        Node on(char c) {
            int at = Arrays.binarySearch(characters, c);
            return at < 0 ? null : next[at];
        }

        Node grow(char c) {
            int at = Arrays.binarySearch(characters, c);
            if (at >= 0) {
                return next[at];
            }
            int place = -at - 1;
            char[] moreCharacters = new char[characters.length + 1];
            Node[] moreNext = new Node[next.length + 1];
            System.arraycopy(characters, 0, moreCharacters, 0, place);
            System.arraycopy(next, 0, moreNext, 0, place);
            System.arraycopy(characters, place, moreCharacters, place + 1, characters.length - place);
            System.arraycopy(next, place, moreNext, place + 1, next.length - place);
            moreCharacters[place] = c;
            moreNext[place] = new Node();
            characters = moreCharacters;
            next = moreNext;
            return next[place];
        }
    }

    private final Node root = new Node();
    private final int all;
    /** Those whose words can be told from others' only by {@link Word#MARK}; the rest have scripts of their own. */
    private final int marked;

    private final int english;

    private Grammar(List<String> languages) {
        int withMarks = 0;
        for (int i = 0; i < languages.size(); i++) {
            int language = 1 << i;
            Map<Word, List<String>> lists = read(languages.get(i));
            lists.forEach((word, phrases) -> phrases.forEach(phrase -> add(word, language, phrase)));
            withMarks |= lists.get(Word.MARK).isEmpty() ? 0 : language;
        }
        all = (1 << languages.size()) - 1;
        marked = withMarks;
        english = 1 << languages.indexOf("en");
    }

    private void add(Word word, int language, String phrase) {
        Node node = root;
        for (char c : phrase.toCharArray()) {
            node = node.grow(c);
        }
        node.languages = node.languages == null ? new int[WORDS.length] : node.languages;
        node.languages[word.ordinal()] |= language;
    }

    /** The languages of a text in lower case, as bits: those with many of its marks, English with any, or all where it has none. */
    int languages(String lower) {
        int[] counts = new int[Integer.SIZE];
        for (int at = 0; at < lower.length(); at++) {
            Node node = begins(lower, at) ? root : null;
            for (int end = at; node != null && end < lower.length(); end++) {
                node = node.on(lower.charAt(end));
                if (node != null && node.languages != null && ends(lower, end)) {
                    int spoken = 0;
                    for (Word word : EVIDENCE) {
                        spoken |= node.languages[word.ordinal()];
                    }
                    for (int bits = spoken & marked; bits != 0; bits &= bits - 1) {
                        counts[Integer.numberOfTrailingZeros(bits)]++;
                    }
                }
            }
        }
        int most = Arrays.stream(counts).max().orElse(0);
        if (most == 0) {
            return all;
        }
        int languages = all & ~marked;
        for (int i = 0; i < counts.length; i++) {
            boolean known = counts[i] > 0 && (counts[i] * LEAST_PART >= most || 1 << i == english);
            languages |= known ? 1 << i : 0;
        }
        return languages;
    }

    /** The phrases of a language's file, with {@code <name>} written out. */
    static Map<Word, List<String>> read(String language) {
        Map<String, List<String>> lists;
        try (InputStream in = Grammar.class.getResourceAsStream("grammar/" + language + ".yaml")) {
            lists = new YAMLMapper().readValue(in, new TypeReference<>() {});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Map<Word, List<String>> phrases = new EnumMap<>(Word.class);
        for (Word word : Word.values()) {
            List<String> written = new ArrayList<>();
            lists.getOrDefault(word.list, List.of()).forEach(phrase -> expand(phrase, lists, written));
            phrases.put(word, written);
        }
        return phrases;
    }

    private static void expand(String phrase, Map<String, List<String>> lists, List<String> written) {
        int open = phrase.indexOf('<');
        if (open < 0) {
            written.add(phrase);
            return;
        }
        int close = phrase.indexOf('>', open);
        for (String each : lists.get(phrase.substring(open + 1, close))) {
            expand(phrase.substring(0, open) + each + phrase.substring(close + 1), lists, written);
        }
    }

    /**
     * The length of the longest phrase of a kind at a place of a text in lower case, as whole words in scripts that have them; 0 without.
     */
    int match(Word word, String lower, int at) {
        int[] lengths = new int[WORDS.length];
        match(lower, at, all, lengths);
        return lengths[word.ordinal()];
    }

    /** The same of all kinds at once, for a text in some languages. */
    void match(String lower, int at, int languages, int[] lengths) {
        Arrays.fill(lengths, 0);
        Node node = at < lower.length() && begins(lower, at) ? root : null;
        for (int end = at; node != null && end < lower.length(); end++) {
            node = node.on(lower.charAt(end));
            if (node != null && node.languages != null && ends(lower, end)) {
                for (Word word : WORDS) {
                    int spoken = node.languages[word.ordinal()];
                    if ((word.own ? spoken & languages : spoken) != 0) {
                        lengths[word.ordinal()] = end + 1 - at;
                    }
                }
            }
        }
    }

    private static boolean begins(String lower, int at) {
        return at == 0 || !CharClass.spaced(lower.charAt(at)) || !CharClass.spaced(lower.charAt(at - 1));
    }

    private static boolean ends(String lower, int end) {
        return end + 1 == lower.length()
                || !CharClass.spaced(lower.charAt(end))
                || !CharClass.spaced(lower.charAt(end + 1));
    }
}
