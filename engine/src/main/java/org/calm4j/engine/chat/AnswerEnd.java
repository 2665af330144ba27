package org.calm4j.engine.chat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.calm4j.engine.CalmException;

/**
 * The end of a message in a template's text. It is found without a search: each text of the message is changed at its end, and what both
 * renderings have in common at their ends is what the template writes after it.
 */
record AnswerEnd(Function<List<Map<String, Object>>, String> template) {
    /** Keys that templates branch on, and do not write as part of an answer. */
    private static final List<String> KINDS = List.of("role", "type");

    /**
     * @param message its index
     * @param whole the template's text of the messages
     * @return the position after the last character that comes from the message; 0 if none does
     */
    int in(List<Map<String, Object>> messages, int message, String whole) {
        List<List<Object>> paths = new ArrayList<>();
        collect(messages.get(message), new ArrayList<>(), paths);
        int end = 0;
        for (List<Object> path : paths) {
            end = Math.max(end, end(messages, message, path, whole));
        }
        return end;
    }

    /** The paths to all texts in a value. */
    private static void collect(Object value, List<Object> path, List<List<Object>> paths) {
        switch (value) {
            case String _ -> paths.add(List.copyOf(path));
            case Map<?, ?> map ->
                map.forEach((key, each) -> {
                    if (!KINDS.contains(key)) {
                        collect(each, with(path, key), paths);
                    }
                });
            case List<?> list -> {
                for (int i = 0; i < list.size(); i++) {
                    collect(list.get(i), with(path, i), paths);
                }
            }
            case null, default -> {}
        }
    }

    private static List<Object> with(List<Object> path, Object step) {
        List<Object> longer = new ArrayList<>(path);
        longer.add(step);
        return longer;
    }

    private int end(List<Map<String, Object>> messages, int message, List<Object> path, String whole) {
        String text = (String) at(messages.get(message), path);
        String stripped = text.strip();
        char other = stripped.endsWith("x") ? 'y' : 'x';
        // Longer by a character; another last one, for ids of a fixed length; another text, where only its beginning is
        // written.
        List<String> changes = new ArrayList<>(List.of(text + other));
        if (!stripped.isEmpty()) {
            changes.add(text.substring(0, text.length() - 1) + other);
        }
        changes.add(String.valueOf(other));
        for (String change : changes) {
            List<Map<String, Object>> changed = new ArrayList<>(messages);
            changed.set(message, changed(messages.get(message), path, 0, change));
            try {
                String rendered = template.apply(changed);
                if (!rendered.equals(whole)) {
                    return whole.length() - commonEnd(whole, rendered);
                }
            } catch (CalmException e) {
                // The template refuses it; another change may work.
                continue;
            }
        }
        return 0;
    }

    private static Object at(Object value, List<Object> path) {
        Object at = value;
        for (Object step : path) {
            at = at instanceof Map<?, ?> map ? map.get(step) : ((List<?>) at).get((Integer) step);
        }
        return at;
    }

    @SuppressWarnings("unchecked")
    private static <T> T changed(T value, List<Object> path, int depth, String text) {
        if (depth == path.size()) {
            return (T) text;
        }
        Object step = path.get(depth);
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> copy = new LinkedHashMap<>(map);
            copy.put(step, changed(map.get(step), path, depth + 1, text));
            return (T) copy;
        }
        List<Object> copy = new ArrayList<>((List<?>) value);
        copy.set((Integer) step, changed(copy.get((Integer) step), path, depth + 1, text));
        return (T) copy;
    }

    private static int commonEnd(String a, String b) {
        int common = 0;
        while (common < Math.min(a.length(), b.length())
                && a.charAt(a.length() - 1 - common) == b.charAt(b.length() - 1 - common)) {
            common++;
        }
        return common;
    }
}
