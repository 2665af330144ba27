package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.function.IntPredicate;

/** A pattern to search a text for. */
interface TextPattern {
    int LONGEST_LITERAL = 256;

    /**
     * Appends start and end of every match, in order; matches do not overlap.
     *
     * @param allowance steps that may be taken
     */
    void find(String text, IntArrayList matches, Allowance allowance);

    /** A {@code pattern} of tokenizer.json: {@code {"String": …}} or {@code {"Regex": …}}. */
    static TextPattern of(Part pattern) {
        if (pattern.get("Regex").present()) {
            String regex = pattern.string("Regex");
            TextPattern words = WordPattern.of(regex);
            return words != null ? words : BoundedRegex.of(regex, pattern);
        }
        String literal = pattern.string("String");
        if (literal.isEmpty() || literal.length() > LONGEST_LITERAL) {
            throw pattern.error("has " + literal.length() + " characters; supported: 1 to " + LONGEST_LITERAL);
        }
        return new Literal(literal);
    }

    /** A literal string. */
    record Literal(String literal) implements TextPattern {
        @Override
        public void find(String text, IntArrayList matches, Allowance allowance) {
            for (int at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length())) {
                matches.add(at);
                matches.add(at + literal.length());
            }
        }
    }

    /** Single characters. */
    record OneOf(IntPredicate characters) implements TextPattern {
        @Override
        public void find(String text, IntArrayList matches, Allowance allowance) {
            for (int at = 0; at < text.length(); ) {
                int codePoint = text.codePointAt(at);
                int end = at + Character.charCount(codePoint);
                if (characters.test(codePoint)) {
                    matches.add(at);
                    matches.add(end);
                }
                at = end;
            }
        }
    }

    /** Runs of characters of one class: words, and what is neither word nor blank. */
    record WordRuns() implements TextPattern {
        @Override
        public void find(String text, IntArrayList matches, Allowance allowance) {
            int open = -1;
            int last = -1;
            for (int at = 0; at < text.length(); ) {
                int codePoint = text.codePointAt(at);
                int kind = CharacterClass.isWord(codePoint) ? 1 : CharacterClass.isSpace(codePoint) ? -1 : 2;
                if (kind != last) {
                    close(open, at, matches);
                    open = kind < 0 ? -1 : at;
                    last = kind;
                }
                at += Character.charCount(codePoint);
            }
            close(open, text.length(), matches);
        }

        private static void close(int from, int to, IntArrayList matches) {
            if (from >= 0) {
                matches.add(from);
                matches.add(to);
            }
        }
    }
}
