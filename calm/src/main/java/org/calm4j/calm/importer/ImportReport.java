package org.calm4j.calm.importer;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Problems and oddities of the items of an import. Nothing is left out without an entry here. */
public final class ImportReport {
    private static final int EXAMPLES = 3;

    /** The kinds of problems. */
    public enum Kind {
        /** Left out: it cannot be read. */
        UNREADABLE(true),
        /** Left out: an equal item came before. */
        DUPLICATE(true),
        /** Left out: another item has the same id. */
        CONTRADICTION(true),
        /** Kept: an equal question with the same options came before under another id. */
        REPEATED(false),
        /** Kept: the same, with another answer. */
        REPEATED_WITH_ANOTHER_ANSWER(false),
        /** Kept: two options have the same text. */
        SAME_OPTIONS(false),
        /** Kept: an option before others has no text and is left out. */
        EMPTY_OPTION(false),
        /** Kept: a sampled question without responses. */
        NO_RESPONSES(false),
        /** Absent: another language has this id. */
        MISSING(false),
        /** Kept: no other language has this id. */
        EXTRA(false),
        /** Kept: another language has another answer or number of options. */
        DIFFERS(false);

        private final boolean leftOut;

        Kind(boolean leftOut) {
            this.leftOut = leftOut;
        }
    }

    /**
     * @param where file and line, or file and index
     * @param id null if unknown
     */
    public record Problem(String kind, String where, String id, String message) {
        public String text() {
            return kind + ": " + where + (id == null ? "" : " (id " + id + ")") + ": " + message;
        }
    }

    private final Map<Kind, List<Problem>> problems = new EnumMap<>(Kind.class);

    void add(Kind kind, String where, String id, String message) {
        problems.computeIfAbsent(kind, none -> new ArrayList<>()).add(new Problem(name(kind), where, id, message));
    }

    /** Items that are not in the output. */
    public int leftOut() {
        return problems.entrySet().stream()
                .filter(entry -> entry.getKey().leftOut)
                .mapToInt(entry -> entry.getValue().size())
                .sum();
    }

    public Map<String, Integer> counts() {
        Map<String, Integer> counts = new TreeMap<>();
        problems.forEach((kind, list) -> counts.put(name(kind), list.size()));
        return counts;
    }

    /** The first few of each kind. */
    public List<Problem> examples() {
        return problems.values().stream()
                .flatMap(list -> list.stream().limit(EXAMPLES))
                .toList();
    }

    public List<Problem> all() {
        return problems.values().stream().flatMap(List::stream).toList();
    }

    int count(Kind kind) {
        return problems.getOrDefault(kind, List.of()).size();
    }

    private static String name(Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
