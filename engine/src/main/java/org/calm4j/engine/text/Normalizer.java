package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.text.Normalizer.Form;
import java.util.List;
import org.calm4j.engine.CalmException;

/** The changes to a text before it is cut; kinds and names as in tokenizer.json. */
sealed interface Normalizer {
    /** @param allowance the limits for the whole text, of which this may be a part */
    String normalize(String text, Allowance allowance);

    /** @throws org.calm4j.engine.CalmException bad input: a kind that is not known here, by name */
    static Normalizer of(Part part) {
        if (!part.present()) {
            return new Sequence(List.of());
        }
        return switch (part.type()) {
            case "Sequence" ->
                new Sequence(
                        part.list("normalizers").stream().map(Normalizer::of).toList());
            case "Prepend" -> new Prepend(part.string("prepend"));
            case "Replace" -> new Replace(TextPattern.of(part.get("pattern")), part.string("content"));
            case "NFC", "NFD", "NFKC", "NFKD" -> new Unicode(Form.valueOf(part.type()));
            case "Lowercase" -> new Lowercase();
            case "Strip" -> new Strip(part.flag("strip_left", true), part.flag("strip_right", true));
            default -> throw part.unsupported("Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase, Strip");
        };
    }

    /** One after the other. */
    record Sequence(List<Normalizer> parts) implements Normalizer {
        @Override
        public String normalize(String text, Allowance allowance) {
            String normal = text;
            for (Normalizer part : parts) {
                normal = part.normalize(normal, allowance);
            }
            return normal;
        }
    }

    /** Puts a string before a text that is not empty. */
    record Prepend(String prefix) implements Normalizer {
        @Override
        public String normalize(String text, Allowance allowance) {
            if (text.isEmpty()) {
                return text;
            }
            allowance.add(prefix.length());
            return prefix + text;
        }
    }

    /** Every match becomes the content. */
    record Replace(TextPattern pattern, String content) implements Normalizer {
        @Override
        public String normalize(String text, Allowance allowance) {
            IntArrayList matches = new IntArrayList();
            pattern.find(text, matches, allowance);
            if (matches.isEmpty()) {
                return text;
            }
            long matched = 0;
            for (int i = 0; i < matches.size(); i += 2) {
                matched += matches.getInt(i + 1) - matches.getInt(i);
            }
            allowance.add(matches.size() / 2L * content.length() - matched);
            StringBuilder replaced = new StringBuilder();
            int at = 0;
            for (int i = 0; i < matches.size(); i += 2) {
                replaced.append(text, at, matches.getInt(i)).append(content);
                at = matches.getInt(i + 1);
            }
            return replaced.append(text, at, text.length()).toString();
        }
    }

    /** A Unicode normalization form. */
    record Unicode(Form form) implements Normalizer {
        private static final int MOST_MARKS = 2000;
        private static final char FIRST_MARK = '\u0300';

        @Override
        public String normalize(String text, Allowance allowance) {
            checkMarks(text);
            String normal = java.text.Normalizer.normalize(text, form);
            allowance.add(normal.length() - text.length());
            return normal;
        }

        // Java sorts the marks of a character by insertion: ten thousand take a second, a million take hours.
        private static void checkMarks(String text) {
            int run = 0;
            for (int i = 0; i < text.length(); i++) {
                run = isMark(text.charAt(i)) ? run + 1 : 0;
                if (run > MOST_MARKS) {
                    throw CalmException.badInput(
                            "text", "has more than " + MOST_MARKS + " combining marks on one character");
                }
            }
        }

        private static boolean isMark(char c) {
            if (c < FIRST_MARK) {
                return false;
            }
            return switch (Character.getType(c)) {
                case Character.NON_SPACING_MARK,
                        Character.ENCLOSING_MARK,
                        Character.COMBINING_SPACING_MARK,
                        Character.SURROGATE -> true;
                // Under compatibility the halfwidth voiced sound marks are marks.
                default -> c == '\uFF9E' || c == '\uFF9F';
            };
        }
    }

    /** Character by character: Java's own lowering of a string looks at the letters around a sigma. */
    record Lowercase() implements Normalizer {
        @Override
        public String normalize(String text, Allowance allowance) {
            StringBuilder lower = new StringBuilder(text.length());
            text.codePoints().forEach(c -> {
                lower.appendCodePoint(Character.toLowerCase(c));
                if (c == 'İ') {
                    lower.append('\u0307');
                }
            });
            allowance.add(lower.length() - text.length());
            return lower.toString();
        }
    }

    /** Removes blanks at the ends. */
    record Strip(boolean left, boolean right) implements Normalizer {
        @Override
        public String normalize(String text, Allowance allowance) {
            int from = 0;
            int to = text.length();
            while (left && from < to && CharacterClass.isSpace(text.charAt(from))) {
                from++;
            }
            while (right && to > from && CharacterClass.isSpace(text.charAt(to - 1))) {
                to--;
            }
            return text.substring(from, to);
        }
    }
}
