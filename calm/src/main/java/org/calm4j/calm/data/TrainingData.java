package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.BiFunction;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.text.Conversation;
import org.calm4j.engine.text.Tokenizer;
import org.calm4j.engine.train.Example;

/**
 * Training files as token ids. Prompt and completion are tokenised apart, so that the boundary never shifts, and a completion made from
 * text ends with the end-of-sequence token.
 */
public final class TrainingData {
    private final Tokenizer tokenizer;
    private final int vocabulary;

    /**
     * @param tokenizer null for a model without one; token ids still work
     * @param vocabulary the model's; larger ids are bad input
     */
    public TrainingData(Tokenizer tokenizer, int vocabulary) {
        this.tokenizer = tokenizer;
        this.vocabulary = vocabulary;
    }

    /**
     * Documents: lines with {@code text}, with {@code segments} (each {@code text} and {@code loss}), with {@code messages}, with {@code prompt} and {@code completion} (both text or both messages),
     * with {@code input_ids} (and {@code completion_start}), or Alpaca's {@code instruction}, {@code input} and {@code output}.
     */
    public List<Example.Document> documents(Path file) {
        return lines(file, this::document);
    }

    /**
     * Preference pairs: {@code prompt}, {@code chosen}, {@code rejected} as text or as messages, the {@code …_input_ids} forms, or
     * LLaMA-Factory's ranking form with {@code instruction} and {@code input}. A pair of CALM's own (it has {@code chosen_source}) asks as
     * sampling did: through the chat template, where the model has one.
     */
    public List<Example.Preference> pairs(Path file) {
        return lines(file, this::pair);
    }

    /**
     * Pairs in two languages, for {@code dco}: {@code prompt_1 chosen_1 rejected_1 prompt_2 chosen_2 rejected_2} or the {@code
     * …_input_ids} forms.
     */
    public List<Example.TwoLanguages> twoLanguagePairs(Path file) {
        return lines(file, this::twoLanguages);
    }

    private static <R> List<R> lines(Path file, BiFunction<JsonNode, String, R> make) {
        List<R> all = DataFile.read(file).stream().map(item -> make.apply(item.json(), item.where())).toList();
        if (all.isEmpty()) {
            throw CalmException.badInput(file, "has no lines");
        }
        return all;
    }

    private Example.Document document(JsonNode line, String where) {
        if (line.has("input_ids")) {
            int[] ids = ids(line, "input_ids", where);
            int from = line.path("completion_start").asInt(1);
            return document(ids, from, line, where);
        }
        if (line.has("text")) {
            requireTokenizer(where);
            return document(tokenizer.ended(tokenizer.encode(text(line, "text", where))), 1, line, where);
        }
        if (line.has("segments")) {
            return segments(line, where);
        }
        if (line.has("messages")) {
            return document(Messages.at(where, () -> conversation(line.path("messages"), "messages", where).encode(false)), 1, line, where);
        }
        boolean alpaca = line.has("instruction") && line.has("output");
        if (!alpaca && !(line.has("prompt") && line.has("completion"))) {
            throw CalmException.badInput(where, "expected text, segments, messages, input_ids, or prompt and completion");
        }
        Conversation asked = alpaca ? null : asked(line, "prompt", where);
        int[] prompt = asked != null ? Messages.at(where, asked::prompt)
                : encode(alpaca ? instruction(line) : text(line, "prompt", where), where);
        int[] completion = completion(asked, line, alpaca ? "output" : "completion", where);
        int[] tokens = Arrays.copyOf(prompt, prompt.length + completion.length);
        System.arraycopy(completion, 0, tokens, prompt.length, completion.length);
        return document(tokens, Math.max(1, prompt.length), line, where);
    }

    /** A text in pieces, tokenised apart, each with {@code loss}: whether it is learnt or only read. */
    private Example.Document segments(JsonNode line, String where) {
        requireTokenizer(where);
        IntArrayList tokens = new IntArrayList();
        BitSet learnt = new BitSet();
        boolean last = false;
        for (JsonNode segment : line.path("segments")) {
            if (!segment.path("text").isTextual() || !segment.path("loss").isBoolean()) {
                throw CalmException.badInput(where, "segments must be a list of {\"text\": \"…\", \"loss\": true or false}");
            }
            int from = tokens.size();
            last = segment.path("loss").asBoolean();
            tokens.addElements(from, tokens.isEmpty() ? encode(segment.path("text").asText(), where)
                    : tokenizer.encode(segment.path("text").asText(), false));
            learnt.set(from, tokens.size(), last);
        }
        if (last) {
            int[] ended = tokenizer.ended(tokens.toIntArray());
            learnt.set(tokens.size(), ended.length);
            tokens = new IntArrayList(ended);
        }
        // Nothing predicts the first token.
        learnt.clear(0);
        if (learnt.isEmpty()) {
            throw CalmException.badInput(where, "segments has no token to learn: set \"loss\": true on one that is not the first token");
        }
        return new Example.Document(tokens.toIntArray(), learnt.nextSetBit(0), learnt, weight(line, where));
    }

    private static Example.Document document(int[] tokens, int from, JsonNode line, String where) {
        if (tokens.length < 2 || from < 1 || from >= tokens.length) {
            throw CalmException.badInput(where, "a document needs two tokens or more, and one that is scored; it has " + tokens.length
                    + ", scored from " + from);
        }
        return new Example.Document(tokens, from, weight(line, where));
    }

    private Example.Preference pair(JsonNode line, String where) {
        return line.has("instruction") ? preference(null, encode(instruction(line), where), "", line, where) : pair(line, "", where);
    }

    private Example.TwoLanguages twoLanguages(JsonNode line, String where) {
        return new Example.TwoLanguages(pair(line, "_1", where), pair(line, "_2", where), weight(line, where));
    }

    /** @param language behind each name: nothing, or _1 or _2 in a line of two languages */
    private Example.Preference pair(JsonNode line, String language, String where) {
        if (line.has("prompt" + language + "_input_ids")) {
            return new Example.Preference(ids(line, "prompt" + language + "_input_ids", where),
                    ids(line, "chosen" + language + "_input_ids", where),
                    ids(line, "rejected" + language + "_input_ids", where), weight(line, where));
        }
        Conversation asked = asked(line, "prompt" + language, where);
        int[] prompt = asked != null ? Messages.at(where, asked::prompt) : encode(text(line, "prompt" + language, where), where);
        return preference(asked, prompt, language, line, where);
    }

    private Example.Preference preference(Conversation asked, int[] prompt, String language, JsonNode line, String where) {
        if (prompt.length == 0) {
            throw CalmException.badInput(where, "prompt" + language + " is empty");
        }
        return new Example.Preference(prompt, completion(asked, line, "chosen" + language, where),
                completion(asked, line, "rejected" + language, where), weight(line, where));
    }

    /** The prompt as a conversation; null where it is text. */
    private Conversation asked(JsonNode line, String name, String where) {
        JsonNode prompt = line.path(name);
        if (prompt.isArray()) {
            return conversation(prompt, name, where);
        }
        boolean sampled = line.has("chosen_source") && prompt.isTextual() && tokenizer != null && tokenizer.chatTemplate() != null;
        return sampled ? Conversation.of(tokenizer, prompt.asText(), history(line, "history" + name.substring("prompt".length()), where))
                : null;
    }

    /** The turns before a prompt; null without. */
    private static List<List<String>> history(JsonNode line, String name, String where) {
        if (!line.hasNonNull(name)) {
            return null;
        }
        List<List<String>> history = new ArrayList<>();
        for (JsonNode turn : line.path(name)) {
            if (turn.size() != 2 || !turn.path(0).isTextual() || !turn.path(1).isTextual()) {
                throw CalmException.badInput(where, name + " must be a list of what was asked and what was answered");
            }
            history.add(List.of(turn.path(0).asText(), turn.path(1).asText()));
        }
        return history;
    }

    private Conversation conversation(JsonNode messages, String name, String where) {
        requireTokenizer(where);
        return Messages.conversation(tokenizer, messages, name, where);
    }

    private static String instruction(JsonNode line) {
        String input = line.path("input").asText("");
        return line.path("instruction").asText() + (input.isEmpty() ? "" : "\n" + input);
    }

    private static String text(JsonNode line, String name, String where) {
        if (!line.path(name).isTextual()) {
            throw CalmException.badInput(where, name + (line.has(name) ? " must be a string" : " is missing"));
        }
        return line.path(name).asText();
    }

    private static double weight(JsonNode line, String where) {
        JsonNode weight = line.path("weight");
        if (weight.isMissingNode()) {
            return 1;
        }
        if (!weight.isNumber() || !(weight.asDouble() >= 0)) {
            throw CalmException.badInput(where, "weight must be a number of at least 0");
        }
        return weight.asDouble();
    }

    private int[] ids(JsonNode line, String name, String where) {
        return ids(line, name, where, vocabulary);
    }

    /**
     * A field of token ids.
     *
     * @throws CalmException bad input: no list, an empty one, or an id that the vocabulary does not have
     */
    public static int[] ids(JsonNode line, String name, String where, int vocabulary) {
        JsonNode list = line.path(name);
        if (!list.isArray() || list.isEmpty()) {
            throw CalmException.badInput(where, name + " must be a list of token ids, at least one");
        }
        int[] ids = new int[list.size()];
        for (int i = 0; i < ids.length; i++) {
            if (!list.get(i).isInt() || list.get(i).asInt() < 0 || list.get(i).asInt() >= vocabulary) {
                throw CalmException.badInput(where, name + "[" + i + "] is " + list.get(i) + ", ids are whole numbers and the vocabulary has " + vocabulary
                        + " tokens");
            }
            ids[i] = list.get(i).asInt();
        }
        return ids;
    }

    /** The prompt's ids, with what the tokenizer puts before a text. */
    private int[] encode(String text, String where) {
        requireTokenizer(where);
        return tokenizer.encodePrompt(text);
    }

    private void requireTokenizer(String where) {
        if (tokenizer == null) {
            throw CalmException.badInput(where, "is text, but the model folder has no tokenizer.json; give token ids (…input_ids)");
        }
    }

    /** @param asked the conversation that it goes on with; null after a text */
    private int[] completion(Conversation asked, JsonNode line, String name, String where) {
        requireTokenizer(where);
        if (asked != null) {
            return Messages.answer(asked, line, name, where);
        }
        return tokenizer.ended(tokenizer.encode(text(line, name, where), false));
    }
}
