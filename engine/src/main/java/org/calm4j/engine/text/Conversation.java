package org.calm4j.engine.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;

/**
 * Messages as token ids, through the model's chat template. The template writes the special tokens itself, so the tokenizer adds none.
 *
 * @param messages each with {@code role} and {@code content}
 * @param options what else the template knows: {@code tools}, {@code documents}, and all of {@code chat_template_kwargs}, such as
 *     {@code enable_thinking}
 */
public record Conversation(Tokenizer tokenizer, List<Map<String, Object>> messages, Map<String, Object> options) {
    /** @throws CalmException bad input: the model has no chat template, or there is no message */
    public Conversation {
        if (tokenizer.chatTemplate() == null) {
            throw CalmException.badInput("messages",
                    "the model has no chat template (chat_template in tokenizer_config.json); give text instead");
        }
        if (messages.isEmpty()) {
            throw CalmException.badInput("messages", "there is none");
        }
        messages = List.copyOf(messages);
        options = Collections.unmodifiableMap(new LinkedHashMap<>(options));
    }

    /** Messages whose template needs nothing else. */
    public Conversation(Tokenizer tokenizer, List<Map<String, Object>> messages) {
        this(tokenizer, messages, Map.of());
    }

    /**
     * One question of a user.
     *
     * @param history turns before it, each what was asked and what was answered; null without
     */
    public static Conversation of(Tokenizer tokenizer, String question, List<List<String>> history) {
        return new Conversation(tokenizer, messages(question, history));
    }

    /** The same as messages. */
    public static List<Map<String, Object>> messages(String question, List<List<String>> history) {
        List<Map<String, Object>> messages = new ArrayList<>();
        for (List<String> turn : history == null ? List.<List<String>>of() : history) {
            messages.add(ChatTemplate.message("user", turn.getFirst()));
            messages.add(ChatTemplate.message("assistant", turn.getLast()));
        }
        messages.add(ChatTemplate.message("user", question));
        return messages;
    }

    /** All messages, as {@code transformers} writes them with and without the beginning of an answer. */
    public int[] encode(boolean addGenerationPrompt) {
        return tokenizer.encode(tokenizer.chatTemplate().render(messages, addGenerationPrompt, options), false);
    }

    /** The messages up to where the model's answer begins. */
    public int[] prompt() {
        return tokenizer.encode(prompt(messages), false);
    }

    private String prompt(List<Map<String, Object>> asked) {
        return tokenizer.chatTemplate().render(asked, true, options);
    }

    /**
     * What comes behind the {@link #prompt()} when the model gives this answer: all that the template writes, up to the token that ends
     * the turn; the end-of-sequence token where it writes none.
     *
     * @throws CalmException bad input: the template writes the prompt in another way once there is an answer
     */
    public int[] completion(List<Map<String, Object>> answer) {
        List<Map<String, Object>> all = new ArrayList<>(messages);
        all.addAll(answer);
        String whole = tokenizer.chatTemplate().render(all, false, options);
        String prompt = prompt(messages);
        if (!whole.startsWith(prompt)) {
            throw CalmException.badInput("messages", "the chat template writes the prompt in another way once an answer stands behind it");
        }
        String completion = whole.substring(prompt.length());
        String said = String.valueOf(all.getLast().get("content")).strip();
        int behind = said.isEmpty() ? 0 : Math.max(0, completion.lastIndexOf(said)) + said.length();
        int end = behind <= completion.length() ? tokenizer.endOfSpecial(completion.substring(behind)) : -1;
        int[] ids = tokenizer.encode(end < 0 ? completion : completion.substring(0, behind + end), false);
        return end >= 0 || tokenizer.eosId() < 0 ? ids : ended(ids);
    }

    private int[] ended(int[] ids) {
        int[] ended = Arrays.copyOf(ids, ids.length + 1);
        ended[ids.length] = tokenizer.eosId();
        return ended;
    }
}
