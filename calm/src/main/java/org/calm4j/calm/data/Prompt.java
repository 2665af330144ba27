package org.calm4j.calm.data;

import java.util.List;

/**
 * What a model is asked.
 *
 * @param history earlier turns, each a question and its answer, for a model with a chat template; null without
 */
public record Prompt(String text, List<List<String>> history) {
    public Prompt {
        history = history == null || history.isEmpty() ? null : history;
    }
}
