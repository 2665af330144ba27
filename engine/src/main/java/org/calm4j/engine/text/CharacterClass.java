package org.calm4j.engine.text;

/** The classes of characters that pre-tokenizers distinguish, as in Unicode; Java's own methods use other sets. */
final class CharacterClass {
    static final byte OTHER = 0;
    static final byte LETTER = 1;
    static final byte NUMBER = 2;
    static final byte SPACE = 3;

    private static final byte[] BASIC = new byte[0x10000];

    static {
        for (int c = 0; c < BASIC.length; c++) {
            BASIC[c] = classify(c);
        }
    }

    private CharacterClass() {}

    /** {@code \p{L}}, {@code \p{N}}, {@code \s}, or none of them; these are disjoint. */
    static byte of(int codePoint) {
        return codePoint < BASIC.length ? BASIC[codePoint] : classify(codePoint);
    }

    private static byte classify(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER -> LETTER;
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> NUMBER;
            case Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> SPACE;
            default -> codePoint >= 9 && codePoint <= 13 || codePoint == 0x85 ? SPACE : OTHER;
        };
    }

    static boolean isSpace(int codePoint) {
        return of(codePoint) == SPACE;
    }

    static boolean isPunctuation(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONNECTOR_PUNCTUATION,
                    Character.DASH_PUNCTUATION,
                    Character.START_PUNCTUATION,
                    Character.END_PUNCTUATION,
                    Character.INITIAL_QUOTE_PUNCTUATION,
                    Character.FINAL_QUOTE_PUNCTUATION,
                    Character.OTHER_PUNCTUATION -> true;
            default -> codePoint < 128 && "$+<=>^`|~".indexOf(codePoint) >= 0;
        };
    }

    /** {@code \w}. */
    static boolean isWord(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.NON_SPACING_MARK,
                    Character.ENCLOSING_MARK,
                    Character.COMBINING_SPACING_MARK,
                    Character.DECIMAL_DIGIT_NUMBER,
                    Character.CONNECTOR_PUNCTUATION -> true;
            default -> Character.isAlphabetic(codePoint) || codePoint == 0x200C || codePoint == 0x200D;
        };
    }
}
