package org.calm4j.engine.generate;

import java.util.List;
import org.calm4j.engine.text.StreamingDecoder;
import org.calm4j.engine.text.Tokenizer;

/** The text of a completion while its tokens come, looked through for stop strings. */
final class GrowingText {
    private final StreamingDecoder decoder;
    private final List<String> stop;
    private final StringBuilder text = new StringBuilder();
    private int given;
    private boolean stopped;

    GrowingText(Tokenizer tokenizer, List<String> stop) {
        decoder = tokenizer.streamingDecoder(true);
        this.stop = stop;
    }

    /** Returns whether a stop string is complete, before which the text then ends. */
    boolean add(int token) {
        return append(decoder.add(token));
    }

    /** The text that will stay whatever comes, since the last call: what may be the beginning of a stop string waits. */
    String certain() {
        int end = text.length();
        if (!stopped) {
            for (int at = given; at < end; at++) {
                String rest = text.substring(at);
                if (stop.stream().anyMatch(s -> s.startsWith(rest))) {
                    end = at;
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
            append(decoder.finish());
            // Nothing can complete what waits.
            stopped = true;
        }
        return text.toString();
    }

    private boolean append(String more) {
        int from = text.length();
        text.append(more);
        int first = -1;
        for (String s : stop) {
            int at = text.indexOf(s, Math.max(0, from - s.length() + 1));
            if (at >= 0 && (first < 0 || at < first)) {
                first = at;
            }
        }
        if (first >= 0) {
            text.setLength(first);
            stopped = true;
        }
        return stopped;
    }
}
