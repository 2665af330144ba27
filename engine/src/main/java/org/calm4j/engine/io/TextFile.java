package org.calm4j.engine.io;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.calm4j.engine.CalmException;

/** Files of text: UTF-8, strictly, and without halves of surrogate pairs, which JSON can spell although they are no characters. */
public final class TextFile {
    private static final int BUFFER = 1 << 16;
    private static final String HALF_CHARACTER =
            " is half of a character (a surrogate without its other half); correct or remove it";

    /** What to do with a line; may throw as reading may. */
    @FunctionalInterface
    interface Reader {
        /** @param number of the line, from 1 */
        void accept(String line, int number) throws IOException;
    }

    /** The same before decoding. */
    @FunctionalInterface
    interface Scanner {
        /** @param offset of the line's first byte in the file */
        void accept(byte[] line, long offset, int number) throws IOException;
    }

    private TextFile() {}

    /**
     * All of a file, without a byte order mark.
     *
     * @throws CalmException bad input: missing, unreadable, or not UTF-8, with its line
     */
    public static String read(Path file) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
            return unmarked(decoder().decode(ByteBuffer.wrap(bytes)).toString());
        } catch (CharacterCodingException e) {
            // Decoding line by line finds which one.
            lines(file, (line, number) -> {});
            throw notUtf8(file + ":1", e);
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    /** The lines of a file, one by one; an error of decoding names its line. */
    static void lines(Path file, Reader reader) {
        scan(file, (line, offset, number) -> reader.accept(decoded(line, file, number), number));
    }

    /** The lines of a file, one by one, as they are. */
    static void scan(Path file, Scanner scanner) {
        ByteArrayOutputStream line = new ByteArrayOutputStream(BUFFER);
        byte[] buffer = new byte[BUFFER];
        int number = 0;
        long offset = 0;
        try (InputStream in = Files.newInputStream(file)) {
            int length;
            do {
                length = in.read(buffer);
                int from = 0;
                for (int i = 0; i < length; i++) {
                    if (buffer[i] == '\n') {
                        line.write(buffer, from, i - from);
                        number++;
                        scanner.accept(line.toByteArray(), offset, number);
                        offset += line.size() + 1;
                        line.reset();
                        from = i + 1;
                    }
                }
                line.write(buffer, from, Math.max(0, length - from));
            } while (length >= 0);
            if (line.size() > 0) {
                number++;
                scanner.accept(line.toByteArray(), offset, number);
            }
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    /** A line as text; an error names it. */
    static String decoded(byte[] line, Path file, int number) {
        try {
            String text = decoder().decode(ByteBuffer.wrap(line)).toString();
            return number == 1 ? unmarked(text) : text;
        } catch (CharacterCodingException e) {
            throw notUtf8(file + ":" + number, e);
        }
    }

    private static CharsetDecoder decoder() {
        return StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
    }

    private static CalmException notUtf8(String where, IOException cause) {
        return CalmException.badInput(where, "not valid UTF-8; save the file as UTF-8", cause);
    }

    private static String unmarked(String text) {
        return text.startsWith("\uFEFF") ? text.substring(1) : text;
    }

    /**
     * Looks for an escape in JSON that is half of a surrogate pair, such as {@code \}{@code ud800}, in names and values.
     *
     * @param firstLine the number of the text's first line in the file
     * @throws CalmException bad input: there is one
     */
    static void checkEscapes(String json, Path file, int firstLine) {
        for (int at = json.indexOf('\\'); at >= 0 && at + 1 < json.length(); at = json.indexOf('\\', at)) {
            int unit = escaped(json, at);
            boolean pair = unit >= 0
                    && Character.isHighSurrogate((char) unit)
                    && escaped(json, at + 6) >= 0
                    && Character.isLowSurrogate((char) escaped(json, at + 6));
            if (unit >= 0 && Character.isSurrogate((char) unit) && !pair) {
                long line = firstLine
                        + json.substring(0, at).chars().filter(c -> c == '\n').count();
                throw CalmException.badInput(file + ":" + line, json.substring(at, at + 6) + HALF_CHARACTER);
            }
            at += pair ? 12 : 2;
        }
    }

    /** The UTF-16 unit that an escape at this place spells; -1 where there is none. */
    private static int escaped(String json, int at) {
        if (at + 6 > json.length() || json.charAt(at) != '\\' || json.charAt(at + 1) != 'u') {
            return -1;
        }
        int unit = 0;
        for (int i = at + 2; i < at + 6; i++) {
            int digit = Character.digit(json.charAt(i), 16);
            if (digit < 0) {
                return -1;
            }
            unit = unit << 4 | digit;
        }
        return unit;
    }

    /**
     * The same for a text that is no longer JSON.
     *
     * @throws CalmException bad input: half of a surrogate pair
     */
    public static void checkWhole(String text, Object where) {
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (Character.isHighSurrogate(unit)
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(unit)) {
                throw CalmException.badInput(where, String.format("\\u%04x", (int) unit) + HALF_CHARACTER);
            }
        }
    }
}
