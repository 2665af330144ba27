package org.calm4j.engine.chat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.jinja.Template;
import org.calm4j.engine.text.Tokenizer;

/**
 * Messages as token ids, through the model's chat template. The template writes the special tokens itself, so the tokenizer adds none.
 *
 * @param template the model's; null if it has none, which is bad input here
 * @param messages each with {@code role} and {@code content}
 * @param options more values for the template: {@code tools}, {@code documents}, and all of {@code chat_template_kwargs}, such as
 *     {@code enable_thinking}
 */
public record Conversation(
        Tokenizer tokenizer, ChatTemplate template, List<Map<String, Object>> messages, Map<String, Object> options) {
    /** @throws CalmException bad input: the model has no chat template, or there are no messages */
    public Conversation {
        if (template == null) {
            throw CalmException.badInput(
                    "messages",
                    "the model has no chat template (chat_template in tokenizer_config.json); give text instead");
        }
        if (messages.isEmpty()) {
            throw CalmException.badInput("messages", "there are none");
        }
        messages = List.copyOf(messages);
        options = Collections.unmodifiableMap(new LinkedHashMap<>(options));
    }

    /** Messages without other values for the template. */
    public Conversation(Tokenizer tokenizer, ChatTemplate template, List<Map<String, Object>> messages) {
        this(tokenizer, template, messages, Map.of());
    }

    /**
     * One question of a user.
     *
     * @param history earlier turns, each a question and its answer; null without
     */
    public static Conversation of(
            Tokenizer tokenizer, ChatTemplate template, String question, List<List<String>> history) {
        return new Conversation(tokenizer, template, messages(question, history));
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
        return tokenizer.encode(render(messages, addGenerationPrompt), false);
    }

    /** The messages up to the start of the model's answer. */
    public int[] prompt() {
        return tokenizer.encode(render(messages, true), false);
    }

    Template.Rendered rendered() {
        return template.rendered(messages, false, options);
    }

    String render(List<Map<String, Object>> list, boolean addGenerationPrompt) {
        return template.render(list, addGenerationPrompt, options);
    }

    /**
     * The continuation of {@link #prompt()} for this answer: all that the template writes, up to the token that ends
     * the turn, or the end-of-sequence token if it writes none, so that there is always exactly one. TRL trains on what the template
     * writes after that token too (a line break, mostly), which no model ever generates; and where the template begins an answer in another
     * way than the prompt ends, TRL moves the beginning of the completion, of the prompt or cuts the answer, depending on the trainer.
     *
     * @param answer one message or several; the end of the last one is the end
     * @throws CalmException bad input: the template writes the prompt differently once there is an answer
     */
    public int[] completion(List<Map<String, Object>> answer) {
        List<Map<String, Object>> all = new ArrayList<>(messages);
        all.addAll(answer);
        String whole = render(all, false);
        String prompt = render(messages, true);
        if (!whole.startsWith(prompt)) {
            boolean turns = !whole.startsWith(render(messages, false));
            throw CalmException.badInput(
                    "messages",
                    "the chat template writes " + (turns ? "the prompt" : "the beginning of an answer")
                            + " differently once there is an answer; change the template, or give prompt and completion as text");
        }
        int[] ids = tokenizer.encode(whole.substring(prompt.length()), false);
        int said = Math.max(prompt.length(), said(all, all.size() - 1, whole));
        int length = lengthWithEnd(ids, tokenizer.encode(whole.substring(prompt.length(), said), false));
        return length == 0 ? tokenizer.ended(ids) : Arrays.copyOf(ids, length);
    }

    /** The position after the last character of a message. */
    int said(List<Map<String, Object>> all, int message, String whole) {
        return new AnswerEnd(list -> render(list, false)).in(all, message, whole);
    }

    /**
     * The number of an answer's ids up to the token that ends its turn; 0 if there is none.
     *
     * @param ids of the answer and what follows
     * @param own the answer's own ids, without what the template writes after it
     */
    int lengthWithEnd(int[] ids, int[] own) {
        // End tokens inside the answer itself do not end the turn.
        int inside = ends(own).length;
        int[] ends = ends(ids);
        if (ends.length <= inside) {
            return 0;
        }
        int end = turnEnd(ids, ends, inside);
        // An answer that already contains its end gets no second one.
        return end > 0 && ids[end - 1] == ids[end] ? end : end + 1;
    }

    /** Which of the end tokens after the answer ends the turn: the first, unless there are others, such as one that ends a tool call. */
    private int turnEnd(int[] ids, int[] ends, int own) {
        if (ends.length == own + 1) {
            return ends[own];
        }
        int usual = usualEnd();
        for (int i = own; i < ends.length; i++) {
            if (ids[ends[i]] == usual) {
                return ends[i];
            }
        }
        for (int i = own; i < ends.length; i++) {
            if (ids[ends[i]] == tokenizer.eosId()) {
                return ends[i];
            }
        }
        return ends[ends.length - 1];
    }

    /** The token that ends a turn of plain text; -1 without one. */
    private int usualEnd() {
        List<Map<String, Object>> all = new ArrayList<>(messages);
        all.add(ChatTemplate.message("assistant", "x"));
        try {
            String whole = render(all, false);
            int[] ids = tokenizer.encode(whole.substring(said(all, all.size() - 1, whole)), false);
            int[] ends = ends(ids);
            return ends.length == 0 ? -1 : ids[ends[0]];
        } catch (CalmException e) {
            return -1;
        }
    }

    /** The positions of special tokens and of the end-of-sequence token, which may not be special. */
    private int[] ends(int[] ids) {
        return IntStream.range(0, ids.length)
                .filter(i -> ids[i] == tokenizer.eosId() || tokenizer.isSpecial(tokenizer.token(ids[i])))
                .toArray();
    }
}
