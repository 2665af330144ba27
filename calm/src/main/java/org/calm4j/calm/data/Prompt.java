package org.calm4j.calm.data;

import java.util.List;

/**
 * What a model is asked.
 *
 * @param history turns before it, each what was asked and what was answered, for a model that has a chat template; null without
 */
public record Prompt(String text, List<List<String>> history) {
    public Prompt {
        history = history == null || history.isEmpty() ? null : history;
    }
}
