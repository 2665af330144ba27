package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.text.Normalizer.Form;
import java.util.List;

/** What happens to a text before it is cut; kinds and names as in tokenizer.json. */
sealed interface Normalizer {
    String normalize(String text);

    /** @throws org.calm4j.engine.CalmException bad input: a kind that is not known here, by name */
    static Normalizer of(Part part) {
        if (!part.present()) {
            return new Sequence(List.of());
        }
        return switch (part.type()) {
            case "Sequence" -> new Sequence(part.list("normalizers").stream().map(Normalizer::of).toList());
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
        public String normalize(String text) {
            String normal = text;
            for (Normalizer part : parts) {
                normal = part.normalize(normal);
            }
            return normal;
        }
    }

    /** Puts a string before a text that is not empty. */
    record Prepend(String prefix) implements Normalizer {
        @Override
        public String normalize(String text) {
            return text.isEmpty() ? text : prefix + text;
        }
    }

    /** Every match becomes the content. */
    record Replace(TextPattern pattern, String content) implements Normalizer {
        @Override
        public String normalize(String text) {
            IntArrayList matches = new IntArrayList();
            pattern.find(text, matches);
            if (matches.isEmpty()) {
                return text;
            }
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
        @Override
        public String normalize(String text) {
            return java.text.Normalizer.normalize(text, form);
        }
    }

    /** Character by character: Java's own lowering of a string looks at the letters around a sigma. */
    record Lowercase() implements Normalizer {
        @Override
        public String normalize(String text) {
            StringBuilder lower = new StringBuilder(text.length());
            text.codePoints().forEach(c -> {
                lower.appendCodePoint(Character.toLowerCase(c));
                if (c == 'İ') {
                    lower.append('\u0307');
                }
            });
            return lower.toString();
        }
    }

    /** Takes blanks away at the ends. */
    record Strip(boolean left, boolean right) implements Normalizer {
        @Override
        public String normalize(String text) {
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
