package org.calm4j.calm.watch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.calm4j.engine.io.Json;

/**
 * The newest lines of a JSON Lines file that match, whatever the file's size.
 *
 * @param lines the newest first
 * @param languages that lines in several places of the file are in
 * @param before the byte before which more may be found; 0 where all was looked at
 */
record LinePage(List<JsonNode> lines, Set<String> languages, long before) {
    private static final int MOST_LINES = 40;
    /** The most that is looked at for a page. */
    private static final long MOST_BYTES = 16L << 20;

    private static final int BLOCK = 1 << 18;
    private static final int PLACES = 32;
    private static final Pattern LANGUAGE = Pattern.compile("\"language\"\\s*:\\s*\"([A-Za-z-]{2,12})\"");

    /**
     * @param text that one of a line's values contains, in whatever case; empty for all lines
     * @param language empty for all
     * @param before the byte before which lines are looked for; negative for the file's end
     */
    static LinePage of(Path file, String text, String language, long before) throws IOException {
        List<JsonNode> found = new ArrayList<>();
        String wanted = text.toLowerCase(Locale.ROOT);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS)) {
            long size = channel.size();
            long end = before < 0 ? size : Math.min(before, size);
            Backwards lines = new Backwards(channel, end, Math.max(0, end - MOST_BYTES), before < 0);
            if (before < 0) {
                // What comes after the last line break is still being written.
                lines.next();
            }
            while (found.size() < MOST_LINES) {
                String line = lines.next();
                if (line == null) {
                    break;
                }
                JsonNode object = parsed(line);
                if (object != null && matches(object, wanted, language)) {
                    found.add(object);
                }
            }
            return new LinePage(found, languages(channel, size), lines.begin);
        }
    }

    private static JsonNode parsed(String line) {
        try {
            JsonNode node = Json.mapper().readTree(line);
            // A partial file begins with its key, and its parts with their numbers.
            return node != null && node.isObject() && node.size() > 1 ? node : null;
        } catch (JsonProcessingException e) {
            return null;
        }
    }

    private static boolean matches(JsonNode line, String text, String language) {
        return (language.isEmpty() || language.equals(line.path("language").asText())) && contains(line, text);
    }

    private static boolean contains(JsonNode value, String text) {
        if (text.isEmpty()) {
            return true;
        }
        if (!value.isContainerNode()) {
            return value.asText().toLowerCase(Locale.ROOT).contains(text);
        }
        for (JsonNode each : value) {
            if (contains(each, text)) {
                return true;
            }
        }
        return false;
    }

    private static Set<String> languages(FileChannel channel, long size) throws IOException {
        Set<String> languages = new TreeSet<>();
        ByteBuffer bytes = ByteBuffer.allocate(1 << 14);
        for (int place = 0; place < PLACES; place++) {
            bytes.clear();
            int read = channel.read(bytes, size * place / PLACES);
            LANGUAGE.matcher(new String(bytes.array(), 0, Math.max(0, read), StandardCharsets.UTF_8))
                    .results()
                    .forEach(result -> languages.add(result.group(1)));
        }
        return languages;
    }

    /** The lines between two bytes of a file, the last one first. */
    private static final class Backwards {
        private final FileChannel channel;
        private final long start;
        private final long least;
        /** Where the last returned line begins; before it, all is still to come. */
        private long begin;

        private byte[] bytes = new byte[0];
        private long from;
        private int to;
        /** Whether the next line may be without its line break. */
        private boolean open;

        Backwards(FileChannel channel, long end, long least, boolean open) {
            this.channel = channel;
            this.least = least;
            this.open = open;
            start = end;
            begin = end;
            from = end;
        }

        /** Null where there is none, or where it began before the least byte. */
        String next() throws IOException {
            // Without the line break.
            int end = open ? to : to - 1;
            int i = end - 1;
            while (true) {
                while (i >= 0 && bytes[i] != '\n') {
                    i--;
                }
                if (i >= 0) {
                    break;
                }
                if (from == least) {
                    if (least > 0 || end < 0) {
                        // A line longer than all that is looked at is left out.
                        begin = begin == start ? from : begin;
                        return null;
                    }
                    break;
                }
                int size = (int) Math.min(BLOCK, from - least);
                byte[] more = new byte[size + to];
                ByteBuffer block = ByteBuffer.wrap(more, 0, size);
                while (block.hasRemaining() && channel.read(block, from - size + block.position()) >= 0) {
                    // Until the block is full.
                }
                System.arraycopy(bytes, 0, more, size, to);
                bytes = more;
                from -= size;
                to += size;
                end += size;
                i = size - 1 < end ? size - 1 : end - 1;
            }
            open = false;
            to = i + 1;
            begin = from + to;
            return new String(bytes, to, end - to, StandardCharsets.UTF_8);
        }
    }
}
