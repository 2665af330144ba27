package org.calm4j.engine.generate;

import java.util.BitSet;
import java.util.List;
import org.calm4j.engine.text.StreamingDecoder;
import org.calm4j.engine.text.Tokenizer;

/**
 * The text of a completion while its tokens come, searched for stop strings. Special tokens are not part of the text, but a stop string
 * may be one or span one, as in transformers.
 */
final class GrowingText {
    private final Tokenizer tokenizer;
    private final StreamingDecoder decoder;
    private final List<String> stop;
    private final StringBuilder text = new StringBuilder();
    /** Null without stop strings, which alone need it. */
    private final StreamingDecoder all;
    /** The text with its special tokens. */
    private final StringBuilder whole = new StringBuilder();
    /** Marks the characters that belong to special tokens. */
    private final BitSet special = new BitSet();

    private int given;
    private boolean stopped;

    GrowingText(Tokenizer tokenizer, List<String> stop) {
        this.tokenizer = tokenizer;
        this.stop = stop;
        decoder = tokenizer.streamingDecoder(true);
        all = stop.isEmpty() ? null : tokenizer.streamingDecoder(false);
    }

    /** Returns whether a stop string is complete, before which the text then ends. */
    boolean add(int token) {
        text.append(decoder.add(token));
        return all != null
                && append(
                        all.add(token),
                        tokenizer.has(token) && tokenizer.isSpecial(tokenizer.token(token))
                                ? tokenizer.token(token)
                                : "");
    }

    /** Text that became final since the last call; a possible beginning of a stop string is held back. */
    String certain() {
        int end = text.length();
        if (!stopped) {
            int longest = stop.stream().mapToInt(String::length).max().orElse(0);
            for (int at = Math.max(0, whole.length() - longest); at < whole.length(); at++) {
                String rest = whole.substring(at);
                if (stop.stream().anyMatch(s -> s.startsWith(rest))) {
                    end = Math.max(given, inText(at));
                    break;
                }
            }
        }
        String certain = text.substring(given, end);
        given = end;
        return certain;
    }

    /** All of it, when no more tokens come. */
    String finish() {
        if (!stopped) {
            text.append(decoder.finish());
            if (all != null) {
                append(all.finish(), "");
            }
            // Nothing can complete the held-back text.
            stopped = true;
        }
        return text.toString();
    }

    /** @param token what a special token is written as, at the end of what comes; empty for others */
    private boolean append(String more, String token) {
        int from = whole.length();
        whole.append(more);
        special.set(whole.length() - (more.endsWith(token) ? token.length() : 0), whole.length());
        int first = -1;
        for (String s : stop) {
            int at = whole.indexOf(s, Math.max(0, from - s.length() + 1));
            if (at >= 0 && (first < 0 || at < first)) {
                first = at;
            }
        }
        if (first >= 0) {
            text.setLength(Math.max(given, inText(first)));
            stopped = true;
        }
        return stopped;
    }

    /** The place in the text of a place in the whole: both end alike, but for special tokens. */
    private int inText(int at) {
        return Math.max(
                0,
                text.length()
                        - (whole.length() - at - special.get(at, whole.length()).cardinality()));
    }
}
