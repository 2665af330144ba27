package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.chat.Conversation;
import org.calm4j.engine.text.Tokenizer;

/** Reads prompts and completions of a file's lines as token ids, in all the ways in which a line may write them. */
final class RowReader {
    private final Tokenizer tokenizer;
    private final ChatTemplate template;
    private final int vocabulary;
    private final boolean turns;
    private final Path file;
    private final Consumer<String> say;
    private boolean toolsTried;
    private boolean endless;
    private boolean ended;

    /**
     * @param tokenizer null for a model without one
     * @param template null for a model without one
     * @param turns whether prompts and instructions that are text are a user's messages
     * @param say receives what one may not expect, once a file
     */
    RowReader(
            Tokenizer tokenizer,
            ChatTemplate template,
            int vocabulary,
            boolean turns,
            Path file,
            Consumer<String> say) {
        this.tokenizer = tokenizer;
        this.template = template;
        this.vocabulary = vocabulary;
        this.turns = turns;
        this.file = file;
        this.say = say;
    }

    /** Whether an end-of-sequence token was added to a text that did not have one. */
    boolean endsTexts() {
        return ended;
    }

    /** @param conversation null if the prompt is text */
    record Asked(Conversation conversation, int[] prompt) {
        static Asked of(Conversation conversation) {
            return new Asked(conversation, conversation.prompt());
        }
    }

    /** A prompt: messages, or text, which is a message where the file has turns or the line was sampled by us. */
    Asked asked(Row row, String name, String history) {
        if (row.json().path(name).isArray()) {
            return Asked.of(conversation(Turns.withSystem(Turns.of(row, name), row), row));
        }
        boolean sampled = row.names("chosen_source") && template != null;
        if (sampled || turns || row.has(history)) {
            return Asked.of(conversation(
                    Turns.withSystem(Conversation.messages(row.text(name), Turns.history(row, history)), row), row));
        }
        String text = row.text(name);
        refuseTurns(row);
        return new Asked(null, requireTokenizer(row).encodePrompt(text));
    }

    /** Instruction and input, one line each, after system and history. */
    Asked instruction(Row row) {
        String query = Stream.of("instruction", "input")
                .map(name -> row.textOr(name, ""))
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining("\n"));
        if (turns) {
            return Asked.of(conversation(
                    Turns.withSystem(Conversation.messages(query, Turns.history(row, "history")), row), row));
        }
        refuseTurns(row);
        return new Asked(null, requireTokenizer(row).encodePrompt(query));
    }

    /** Refuses fields that only a chat template could use, in a line without one. */
    static void refuseTurns(Row row) {
        for (String name : List.of(Turns.TOOLS, Turns.TEMPLATE_OPTIONS)) {
            if (row.has(name) && !Turns.options(row).isEmpty()) {
                throw row.bad(
                        name + " belongs to a conversation, but the prompt is text; give it as messages, or leave "
                                + name + " out");
            }
        }
    }

    Conversation conversation(List<Map<String, Object>> messages, Row row) {
        requireTokenizer(row);
        for (String name : List.of("images", "videos", "audios")) {
            if (row.has(name)) {
                throw row.bad(name + " are not supported; give lines of text only");
            }
        }
        if (template == null && (row.has("system") || row.has("history"))) {
            throw row.bad((row.has("system") ? "system" : "history")
                    + " needs turns, but the model has no chat template; set chat_template in"
                    + " tokenizer_config.json, or write it into the prompt");
        }
        Map<String, Object> options = Turns.options(row);
        Conversation conversation = new Conversation(tokenizer, template, messages, options);
        if (options.containsKey(Turns.TOOLS) && !toolsTried) {
            toolsTried = true;
            Map<String, Object> without = new LinkedHashMap<>(options);
            without.remove(Turns.TOOLS);
            if (Arrays.equals(
                    conversation.encode(true), new Conversation(tokenizer, template, messages, without).encode(true))) {
                say.accept(file + ": the model's chat template ignores tools");
            }
        }
        return conversation;
    }

    /** Other messages under the options of a conversation. */
    Conversation like(Conversation asked, List<Map<String, Object>> messages) {
        return new Conversation(tokenizer, template, messages, asked.options());
    }

    /** Of a prompt, with its end. */
    int[] completion(Asked asked, Row row, String name) {
        if (asked.conversation() != null) {
            return asked.conversation().completion(Turns.of(row, name));
        }
        String text = row.text(name);
        return ended(requireTokenizer(row).encode(text, false), row, true);
    }

    /** @param needed whether the text must have an end */
    int[] ended(int[] tokens, Row row, boolean needed) {
        if (tokenizer.eosId() < 0 && needed) {
            throw row.bad("a completion needs an end, but " + tokenizer.missingEos());
        }
        if (tokenizer.eosId() < 0 && !endless) {
            endless = true;
            say.accept(file + ": texts get no end-of-sequence token: " + tokenizer.missingEos());
        }
        int[] all = tokenizer.ended(tokens);
        ended |= all.length > tokens.length;
        return all;
    }

    Tokenizer requireTokenizer(Row row) {
        if (tokenizer == null) {
            throw row.bad("is text, but the model folder has no tokenizer.json; give token ids (…input_ids)");
        }
        return tokenizer;
    }

    static double weight(Row row) {
        JsonNode weight = row.get("weight");
        if (weight.isMissingNode()) {
            return 1;
        }
        if (!weight.isNumber() || !(weight.asDouble() >= 0)) {
            throw row.bad("weight must be a number of at least 0");
        }
        return weight.asDouble();
    }

    int[] ids(Row row, String name) {
        row.get(name);
        return TrainingData.ids(row.json(), name, row.where(), vocabulary);
    }
}
