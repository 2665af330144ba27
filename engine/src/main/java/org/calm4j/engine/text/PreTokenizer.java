package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.calm4j.engine.CalmException;

/** Cuts a text into the words that the vocabulary's model then takes apart; kinds and names as in tokenizer.json. */
sealed interface PreTokenizer {
    List<String> split(String text);

    /** @throws CalmException bad input: a kind that is not known here, by name */
    static PreTokenizer of(JsonNode json, Object where) {
        if (json.isMissingNode() || json.isNull()) {
            return new Whole();
        }
        String type = json.path("type").asText();
        return switch (type) {
            case "ByteLevel" -> new ByteLevel(json.path("add_prefix_space").asBoolean(true), json.path("use_regex").asBoolean(true));
            case "Whitespace" -> new Matches(Pattern.compile("\\w+|[^\\w\\s]+", Pattern.UNICODE_CHARACTER_CLASS));
            case "WhitespaceSplit" -> new Matches(Pattern.compile("\\S+", Pattern.UNICODE_CHARACTER_CLASS));
            case "Split" -> Split.of(json, where);
            case "Sequence" -> {
                List<PreTokenizer> parts = new ArrayList<>();
                json.path("pretokenizers").forEach(part -> parts.add(of(part, where)));
                yield new Sequence(List.copyOf(parts));
            }
            default -> throw CalmException.badInput(where, "pre_tokenizer \"" + type
                    + "\" is not supported; supported: ByteLevel, Whitespace, WhitespaceSplit, Split, Sequence");
        };
    }

    /** No cut. */
    record Whole() implements PreTokenizer {
        @Override
        public List<String> split(String text) {
            return List.of(text);
        }
    }

    /** What matches is a word, the rest is dropped. */
    record Matches(Pattern pattern) implements PreTokenizer {
        @Override
        public List<String> split(String text) {
            return pattern.matcher(text).results().map(match -> match.group()).toList();
        }
    }

    /** GPT-2's cut, each word then written in the byte alphabet. */
    record ByteLevel(boolean addPrefixSpace, boolean useRegex) implements PreTokenizer {
        private static final Pattern GPT2 = Pattern.compile(
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", Pattern.UNICODE_CHARACTER_CLASS);

        @Override
        public List<String> split(String text) {
            String prefixed = addPrefixSpace && !text.startsWith(" ") ? " " + text : text;
            if (!useRegex) {
                return List.of(ByteAlphabet.encode(prefixed));
            }
            return GPT2.matcher(prefixed).results().map(match -> ByteAlphabet.encode(match.group())).toList();
        }
    }

    /** Cuts at a pattern. */
    record Split(Pattern pattern, Behavior behavior, boolean invert) implements PreTokenizer {
        enum Behavior {
            REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT
        }

        private record Piece(String text, boolean match) {
        }

        static Split of(JsonNode json, Object where) {
            String name = json.path("behavior").asText();
            Behavior behavior = switch (name) {
                case "Removed" -> Behavior.REMOVED;
                case "Isolated" -> Behavior.ISOLATED;
                case "MergedWithPrevious" -> Behavior.MERGED_WITH_PREVIOUS;
                case "MergedWithNext" -> Behavior.MERGED_WITH_NEXT;
                default -> throw CalmException.badInput(where, "Split.behavior \"" + name + "\" is not supported");
            };
            JsonNode pattern = json.path("pattern");
            try {
                Pattern compiled = pattern.has("String") ? Pattern.compile(pattern.path("String").asText(), Pattern.LITERAL)
                        : Pattern.compile(pattern.path("Regex").asText(), Pattern.UNICODE_CHARACTER_CLASS);
                return new Split(compiled, behavior, json.path("invert").asBoolean(false));
            } catch (PatternSyntaxException e) {
                throw CalmException.badInput(where, "Split.pattern is no regular expression: " + e.getDescription(), e);
            }
        }

        @Override
        public List<String> split(String text) {
            List<String> words = new ArrayList<>();
            StringBuilder open = new StringBuilder();
            for (Piece piece : pieces(text)) {
                switch (behavior) {
                    case REMOVED -> {
                        if (!piece.match()) {
                            words.add(piece.text());
                        }
                    }
                    case ISOLATED -> words.add(piece.text());
                    case MERGED_WITH_PREVIOUS -> {
                        open.append(piece.text());
                        if (piece.match()) {
                            flush(open, words);
                        }
                    }
                    case MERGED_WITH_NEXT -> {
                        if (piece.match()) {
                            flush(open, words);
                        }
                        open.append(piece.text());
                    }
                }
            }
            flush(open, words);
            return words;
        }

        private static void flush(StringBuilder open, List<String> words) {
            if (!open.isEmpty()) {
                words.add(open.toString());
                open.setLength(0);
            }
        }

        private List<Piece> pieces(String text) {
            List<Piece> pieces = new ArrayList<>();
            Matcher matcher = pattern.matcher(text);
            int at = 0;
            while (matcher.find()) {
                if (matcher.start() > at) {
                    pieces.add(new Piece(text.substring(at, matcher.start()), invert));
                }
                if (matcher.end() > matcher.start()) {
                    pieces.add(new Piece(matcher.group(), !invert));
                }
                at = matcher.end();
            }
            if (at < text.length()) {
                pieces.add(new Piece(text.substring(at), invert));
            }
            return pieces;
        }
    }

    /** One after the other. */
    record Sequence(List<PreTokenizer> parts) implements PreTokenizer {
        @Override
        public List<String> split(String text) {
            List<String> words = List.of(text);
            for (PreTokenizer part : parts) {
                words = words.stream().flatMap(word -> part.split(word).stream()).toList();
            }
            return words;
        }
    }
}
