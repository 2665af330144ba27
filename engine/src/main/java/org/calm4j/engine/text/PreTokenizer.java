package org.calm4j.engine.text;

import java.util.ArrayList;
import java.util.List;

/** Cuts a text into the words that the vocabulary's model then takes apart; kinds and names as in tokenizer.json. */
sealed interface PreTokenizer permits Split, PreTokenizer.ByteLevel, PreTokenizer.Metaspace, PreTokenizer.Sequence {
    /**
     * Appends the words of a text.
     *
     * @param start whether the text is at the very start of the whole
     * @param allowance the limits for the whole text, of which this may be a part
     */
    void split(String text, boolean start, Pieces to, Allowance allowance);

    /** @throws org.calm4j.engine.CalmException bad input: a kind that is not known here, by name */
    static PreTokenizer of(Part part) {
        if (!part.present()) {
            return new Sequence(List.of());
        }
        return switch (part.type()) {
            case "ByteLevel" -> new ByteLevel(part.flag("add_prefix_space", true), part.flag("use_regex", true), true);
            case "Split" ->
                new Split(
                        TextPattern.of(part.get("pattern")), Split.Behavior.of(part, null), part.flag("invert", false));
            case "Metaspace" -> Metaspace.of(part);
            case "Whitespace" -> new Split(new TextPattern.WordRuns(), Split.Behavior.REMOVED, true);
            case "WhitespaceSplit" ->
                new Split(new TextPattern.OneOf(CharacterClass::isSpace), Split.Behavior.REMOVED, false);
            case "Digits" ->
                new Split(
                        new TextPattern.OneOf(c -> CharacterClass.of(c) == CharacterClass.NUMBER),
                        part.flag("individual_digits", false) ? Split.Behavior.ISOLATED : Split.Behavior.CONTIGUOUS,
                        false);
            case "Punctuation" ->
                new Split(
                        new TextPattern.OneOf(CharacterClass::isPunctuation),
                        Split.Behavior.of(part, "Isolated"),
                        false);
            case "Sequence" ->
                new Sequence(part.list("pretokenizers").stream()
                        .map(PreTokenizer::of)
                        .toList());
            default ->
                throw part.unsupported(
                        "ByteLevel, Split, Metaspace, Whitespace, WhitespaceSplit, Digits, Punctuation, Sequence");
        };
    }

    /** Whether the words are in the byte alphabet, made in the last step. */
    default boolean endsInBytes() {
        return false;
    }

    /** The same without that last step, which the caller then does later. */
    default PreTokenizer withoutAlphabet() {
        return this;
    }

    /** Words as Radford et al. 2019 cut them, each then written in the byte alphabet. */
    record ByteLevel(boolean addPrefixSpace, boolean useRegex, boolean alphabet) implements PreTokenizer {
        private static final Split WORDS = new Split(WordPattern.BYTE_LEVEL, Split.Behavior.ISOLATED, false);

        @Override
        public void split(String text, boolean start, Pieces to, Allowance allowance) {
            String prefixed = addPrefixSpace && !text.startsWith(" ") ? " " + text : text;
            Pieces words = new Pieces();
            if (useRegex) {
                WORDS.split(prefixed, start, words, allowance);
            } else {
                words.add(prefixed, start);
            }
            for (int i = 0; i < words.size(); i++) {
                String word = alphabet ? ByteAlphabet.encode(words.get(i)) : words.get(i);
                allowance.add(word.length() - words.get(i).length());
                to.add(word, words.start(i));
            }
        }

        @Override
        public boolean endsInBytes() {
            return alphabet;
        }

        @Override
        public PreTokenizer withoutAlphabet() {
            return new ByteLevel(addPrefixSpace, useRegex, false);
        }
    }

    /** SentencePiece's visible blank in place of each U+0020, and one more before the text. */
    record Metaspace(String blank, boolean prefixAlways, boolean prefixAtStart, boolean split) implements PreTokenizer {
        static Metaspace of(Part part) {
            String blank = part.string("replacement", "▁");
            if (blank.codePointCount(0, blank.length()) != 1) {
                throw part.get("replacement").error("is not one character");
            }
            // Older files say add_prefix_space instead.
            String scheme = part.string("prepend_scheme", part.flag("add_prefix_space", true) ? "always" : "never");
            if (!List.of("always", "first", "never").contains(scheme)) {
                throw part.get("prepend_scheme")
                        .error("\"" + scheme + "\" is not supported; supported: always, first, never");
            }
            return new Metaspace(blank, scheme.equals("always"), scheme.equals("first"), part.flag("split", true));
        }

        @Override
        public void split(String text, boolean start, Pieces to, Allowance allowance) {
            String visible = text.replace(" ", blank);
            if ((prefixAlways || prefixAtStart && start) && !visible.startsWith(blank)) {
                visible = blank + visible;
            }
            allowance.add(visible.length() - text.length());
            if (split) {
                new Split(new TextPattern.Literal(blank), Split.Behavior.MERGED_WITH_NEXT, false)
                        .split(visible, start, to, allowance);
            } else {
                to.add(visible, start);
            }
        }
    }

    /** One after the other. */
    record Sequence(List<PreTokenizer> parts) implements PreTokenizer {
        @Override
        public void split(String text, boolean start, Pieces to, Allowance allowance) {
            Pieces pieces = new Pieces();
            pieces.add(text, start);
            for (PreTokenizer part : parts) {
                Pieces finer = new Pieces();
                for (int i = 0; i < pieces.size(); i++) {
                    part.split(pieces.get(i), pieces.start(i), finer, allowance);
                }
                pieces = finer;
            }
            for (int i = 0; i < pieces.size(); i++) {
                to.add(pieces.get(i), pieces.start(i));
            }
        }

        @Override
        public boolean endsInBytes() {
            return !parts.isEmpty() && parts.getLast().endsInBytes();
        }

        @Override
        public PreTokenizer withoutAlphabet() {
            List<PreTokenizer> same = new ArrayList<>(parts);
            same.set(same.size() - 1, parts.getLast().withoutAlphabet());
            return new Sequence(List.copyOf(same));
        }
    }
}
