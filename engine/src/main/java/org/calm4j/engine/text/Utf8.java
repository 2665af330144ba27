package org.calm4j.engine.text;

import java.nio.charset.StandardCharsets;

/**
 * Bytes as text. Invalid UTF-8 becomes U+FFFD, one for each longest beginning of a character, as Unicode recommends (section 3.9) and
 * tokenizers expect; Java's own decoder takes an encoded surrogate for one error instead of three.
 */
final class Utf8 {
    private Utf8() {}

    static String decode(byte[] bytes, int length) {
        String text = new String(bytes, 0, length, StandardCharsets.UTF_8);
        return text.indexOf('\uFFFD') < 0 ? text : decodeBroken(bytes, length);
    }

    private static String decodeBroken(byte[] bytes, int length) {
        StringBuilder text = new StringBuilder();
        for (int at = 0; at < length; ) {
            int lead = bytes[at] & 0xff;
            int more = more(lead);
            int codePoint = lead & (more <= 0 ? 0x7F : 0x3F >> more);
            int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
            int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
            int n = 1;
            while (n <= more && at + n < length && (bytes[at + n] & 0xff) >= low && (bytes[at + n] & 0xff) <= high) {
                codePoint = codePoint << 6 | bytes[at + n] & 0x3F;
                low = 0x80;
                high = 0xBF;
                n++;
            }
            text.appendCodePoint(more >= 0 && n > more ? codePoint : 0xFFFD);
            at += n;
        }
        return text.toString();
    }

    /** How many bytes follow a first byte; -1 if no character begins with it. */
    private static int more(int lead) {
        if (lead < 0x80) {
            return 0;
        }
        return lead < 0xC2 || lead > 0xF4 ? -1 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    }
}
