package org.calm4j.calm.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.chat.ChatTemplate;

/**
 * What a model is asked.
 *
 * @param history earlier turns, each a question and its answer, for a model with a chat template; null without
 */
public record Prompt(String text, List<List<String>> history) {
    public Prompt {
        history = history == null || history.isEmpty() ? null : history;
    }

    /** As turns of a conversation. */
    public List<Map<String, Object>> messages() {
        List<Map<String, Object>> messages = new ArrayList<>();
        for (List<String> turn : history == null ? List.<List<String>>of() : history) {
            messages.add(ChatTemplate.message("user", turn.get(0)));
            messages.add(ChatTemplate.message("assistant", turn.get(1)));
        }
        messages.add(ChatTemplate.message("user", text));
        return messages;
    }
}
