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
 * longest phrase at a place in time that is bounded by the longest phrase there is.
 */
final class Grammar {
    static final List<String> LANGUAGES = List.of("ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sw",
            "th", "tr", "vi", "zh");
    static final Grammar ALL = new Grammar(LANGUAGES);

    /** A place in the tree: which words end here, and what goes on with which character. */
    private static final class Node {
        private int words;
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

    private static final int WORDS = Word.values().length;
    private final Node root = new Node();

    private Grammar(List<String> languages) {
        languages.forEach(language -> read(language).forEach((word, phrases) -> phrases.forEach(phrase -> add(word, phrase))));
    }

    private void add(Word word, String phrase) {
        Node node = root;
        for (char c : phrase.toCharArray()) {
            node = node.grow(c);
        }
        node.words |= 1 << word.ordinal();
    }

    /** The phrases of a language's file, with {@code <name>} written out. */
    static Map<Word, List<String>> read(String language) {
        Map<String, List<String>> lists;
        try (InputStream in = Grammar.class.getResourceAsStream("grammar/" + language + ".yaml")) {
            lists = new YAMLMapper().readValue(in, new TypeReference<>() { });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Map<Word, List<String>> phrases = new EnumMap<>(Word.class);
        for (Word word : Word.values()) {
            List<String> written = new ArrayList<>();
            lists.get(word.list).forEach(phrase -> expand(phrase, lists, written));
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
        int[] lengths = new int[WORDS];
        match(lower, at, lengths);
        return lengths[word.ordinal()];
    }

    /** The same of all kinds at once. */
    void match(String lower, int at, int[] lengths) {
        Arrays.fill(lengths, 0);
        if (at >= lower.length() || at > 0 && CharClass.spaced(lower.charAt(at)) && CharClass.spaced(lower.charAt(at - 1))) {
            return;
        }
        Node node = root;
        for (int end = at; end < lower.length(); end++) {
            node = node.on(lower.charAt(end));
            if (node == null) {
                return;
            }
            boolean whole = node.words != 0
                    && (end + 1 == lower.length() || !CharClass.spaced(lower.charAt(end)) || !CharClass.spaced(lower.charAt(end + 1)));
            for (int words = whole ? node.words : 0; words != 0; words &= words - 1) {
                lengths[Integer.numberOfTrailingZeros(words)] = end + 1 - at;
            }
        }
    }
}
