package org.calm4j.engine.text;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/** Turns tokens into text, one token after the other; kinds and names as in tokenizer.json. */
sealed interface Decoder {
    /** A text in progress. */
    interface Stream {
        /** Takes a token and passes on the text that is certain by now. */
        void accept(String token, Consumer<String> next);

        /** Passes on what was held back. */
        default void finish(Consumer<String> next) {}
    }

    /**
     * @param joined whether the inputs are parts of one token, all made by the previous part
     * @param allowance the limits for the tokens
     */
    Stream stream(boolean joined, Allowance allowance);

    /** Whether it joins all tokens into one. */
    default boolean joins() {
        return false;
    }

    /** @throws org.calm4j.engine.CalmException bad input: a kind that is not known here, by name */
    static Decoder of(Part part) {
        if (!part.present()) {
            return new Blanks();
        }
        return switch (part.type()) {
            case "ByteLevel" -> new ByteLevel();
            case "Sequence" ->
                new Sequence(part.list("decoders").stream().map(Decoder::of).toList());
            case "Replace" ->
                new Replace(new Normalizer.Replace(TextPattern.of(part.get("pattern")), part.string("content")));
            case "ByteFallback" -> new ByteFallback();
            case "Fuse" -> new Fuse();
            case "Strip" -> Strip.of(part);
            case "Metaspace" -> Metaspace.of(part);
            default -> throw part.unsupported("ByteLevel, Sequence, Replace, ByteFallback, Fuse, Strip, Metaspace");
        };
    }

    /** Without a decoder: a blank between two tokens. */
    record Blanks() implements Decoder {
        @Override
        public Stream stream(boolean joined, Allowance allowance) {
            boolean[] open = new boolean[1];
            return (token, next) -> {
                next.accept(open[0] ? " " + token : token);
                open[0] = true;
            };
        }
    }

    /** One after the other. */
    record Sequence(List<Decoder> parts) implements Decoder {
        @Override
        public Stream stream(boolean joined, Allowance allowance) {
            List<Stream> streams = new ArrayList<>();
            boolean one = joined;
            for (Decoder part : parts) {
                streams.add(part.stream(one, allowance));
                one |= part.joins();
            }
            return new Stream() {
                @Override
                public void accept(String token, Consumer<String> next) {
                    push(0, token, next);
                }

                private void push(int part, String token, Consumer<String> next) {
                    if (part == streams.size()) {
                        next.accept(token);
                    } else {
                        streams.get(part).accept(token, made -> push(part + 1, made, next));
                    }
                }

                @Override
                public void finish(Consumer<String> next) {
                    for (int i = 0; i < streams.size(); i++) {
                        int behind = i + 1;
                        streams.get(i).finish(made -> push(behind, made, next));
                    }
                }
            };
        }

        @Override
        public boolean joins() {
            return parts.stream().anyMatch(Decoder::joins);
        }
    }

    /** The byte alphabet's bytes as UTF-8; invalid bytes become U+FFFD. */
    record ByteLevel() implements Decoder {
        @Override
        public Stream stream(boolean joined, Allowance allowance) {
            return joined ? new Whole(stream(false, allowance)) : new Characters();
        }

        @Override
        public boolean joins() {
            return true;
        }
    }

    /** Every match becomes the content. */
    record Replace(Normalizer.Replace replace) implements Decoder {
        @Override
        public Stream stream(boolean joined, Allowance allowance) {
            Stream each = (token, next) -> next.accept(replace.normalize(token, allowance));
            return joined ? new Whole(each) : each;
        }
    }

    /** Runs of tokens like {@code <0x0A>} as UTF-8; in an invalid run each byte becomes U+FFFD. */
    record ByteFallback() implements Decoder {
        @Override
        public Stream stream(boolean joined, Allowance allowance) {
            return joined ? new Whole(new ByteRuns()) : new ByteRuns();
        }
    }

    /** Joins all tokens into one. */
    record Fuse() implements Decoder {
        @Override
        public Stream stream(boolean joined, Allowance allowance) {
            return (token, next) -> next.accept(token);
        }

        @Override
        public boolean joins() {
            return true;
        }
    }

    /** Removes a character from both ends of a token, up to a number of times. */
    record Strip(String content, int start, int stop) implements Decoder {
        static Strip of(Part part) {
            String content = part.string("content");
            if (content.codePointCount(0, content.length()) != 1) {
                throw part.get("content").error("is not one character");
            }
            return new Strip(content, part.count("start"), part.count("stop"));
        }

        @Override
        public Stream stream(boolean joined, Allowance allowance) {
            if (joined && stop == 0) {
                return new StripStart();
            }
            Stream each = (token, next) -> next.accept(strip(token));
            return joined ? new Whole(each) : each;
        }

        private String strip(String token) {
            int from = 0;
            int to = token.length();
            for (int i = 0; i < start && token.startsWith(content, from); i++) {
                from += content.length();
            }
            for (int i = 0;
                    i < stop && to - content.length() >= from && token.startsWith(content, to - content.length());
                    i++) {
                to -= content.length();
            }
            return token.substring(from, to);
        }

        /** For one token that comes in parts. */
        private final class StripStart implements Stream {
            private int left = start;

            @Override
            public void accept(String token, Consumer<String> next) {
                int from = 0;
                while (left > 0 && token.startsWith(content, from)) {
                    from += content.length();
                    left--;
                }
                if (from < token.length()) {
                    left = 0;
                    next.accept(token.substring(from));
                }
            }
        }
    }

    /** A visible blank becomes a blank, and nothing in the first token where encoding put it there. */
    record Metaspace(String blank, boolean prefixed) implements Decoder {
        static Metaspace of(Part part) {
            PreTokenizer.Metaspace same = PreTokenizer.Metaspace.of(part);
            return new Metaspace(same.blank(), same.prefixAlways() || same.prefixAtStart());
        }

        @Override
        public Stream stream(boolean joined, Allowance allowance) {
            boolean[] behindFirst = new boolean[1];
            return (token, next) -> {
                next.accept(token.replace(blank, prefixed && !behindFirst[0] ? "" : " "));
                behindFirst[0] = !joined;
            };
        }
    }

    /** Waits for all of a token that comes in parts. */
    final class Whole implements Stream {
        private final Stream stream;
        private final StringBuilder parts = new StringBuilder();

        Whole(Stream stream) {
            this.stream = stream;
        }

        @Override
        public void accept(String token, Consumer<String> next) {
            parts.append(token);
        }

        @Override
        public void finish(Consumer<String> next) {
            stream.accept(parts.toString(), next);
            stream.finish(next);
        }
    }

    /** Holds back the bytes of an incomplete character. */
    final class Characters implements Stream {
        private final ByteArrayOutputStream kept = new ByteArrayOutputStream();

        @Override
        public void accept(String token, Consumer<String> next) {
            kept.writeBytes(ByteAlphabet.decode(token));
            byte[] bytes = kept.toByteArray();
            int whole = whole(bytes);
            if (whole > 0) {
                next.accept(Utf8.decode(bytes, whole));
                kept.reset();
                kept.write(bytes, whole, bytes.length - whole);
            }
        }

        /** The start of the last character if it may continue; else the end. */
        private static int whole(byte[] bytes) {
            for (int back = 1; back <= Math.min(3, bytes.length); back++) {
                int b = bytes[bytes.length - back] & 0xff;
                if (b >= 0xC0) {
                    int length = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
                    return length > back ? bytes.length - back : bytes.length;
                }
                if (b < 0x80) {
                    break;
                }
            }
            return bytes.length;
        }

        @Override
        public void finish(Consumer<String> next) {
            next.accept(Utf8.decode(kept.toByteArray(), kept.size()));
            kept.reset();
        }
    }

    /** Holds back a run of bytes until another token comes: only then it is certain whether the run is text. */
    final class ByteRuns implements Stream {
        private final ByteArrayOutputStream run = new ByteArrayOutputStream();

        @Override
        public void accept(String token, Consumer<String> next) {
            int value = value(token);
            if (value >= 0) {
                run.write(value);
                return;
            }
            finish(next);
            next.accept(token);
        }

        private static int value(String token) {
            if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
                return -1;
            }
            int high = Character.digit(token.charAt(3), 16);
            int low = Character.digit(token.charAt(4), 16);
            return high < 0 || low < 0 ? -1 : high << 4 | low;
        }

        @Override
        public void finish(Consumer<String> next) {
            if (run.size() == 0) {
                return;
            }
            byte[] bytes = run.toByteArray();
            run.reset();
            String text = new String(bytes, StandardCharsets.UTF_8);
            if (Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes)) {
                next.accept(text);
                return;
            }
            for (int i = 0; i < bytes.length; i++) {
                next.accept("\uFFFD");
            }
        }
    }
}
