package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.BitSet;

/**
 * Cuts at a pattern.
 *
 * @param behavior what happens to a match
 * @param invert whether the text between the matches counts as the match
 */
record Split(TextPattern pattern, Behavior behavior, boolean invert) implements PreTokenizer {
    enum Behavior {
        REMOVED,
        ISOLATED,
        CONTIGUOUS,
        MERGED_WITH_PREVIOUS,
        MERGED_WITH_NEXT;

        static Behavior of(Part part, String absent) {
            String name = absent == null ? part.string("behavior") : part.string("behavior", absent);
            return switch (name) {
                case "Removed" -> REMOVED;
                case "Isolated" -> ISOLATED;
                case "Contiguous" -> CONTIGUOUS;
                case "MergedWithPrevious" -> MERGED_WITH_PREVIOUS;
                case "MergedWithNext" -> MERGED_WITH_NEXT;
                default ->
                    throw part.get("behavior")
                            .error(
                                    "\"" + name
                                            + "\" is not supported; supported: Removed, Isolated, Contiguous, MergedWithPrevious, MergedWithNext");
            };
        }
    }

    @Override
    public void split(String text, boolean start, Pieces to, Allowance allowance) {
        IntArrayList matches = new IntArrayList(text.length() / 2 + 2);
        pattern.find(text, matches, allowance);
        IntArrayList ends = new IntArrayList(matches.size() + 1);
        BitSet matched = new BitSet();
        int at = 0;
        for (int i = 0; i < matches.size(); i += 2) {
            if (matches.getInt(i) > at) {
                ends.add(matches.getInt(i));
                matched.set(ends.size() - 1, invert);
            }
            ends.add(matches.getInt(i + 1));
            matched.set(ends.size() - 1, !invert);
            at = matches.getInt(i + 1);
        }
        if (at < text.length()) {
            ends.add(text.length());
            matched.set(ends.size() - 1, invert);
        }
        int from = 0;
        for (int i = 0; i < ends.size(); i++) {
            boolean match = matched.get(i);
            if (i + 1 < ends.size() && joins(match, matched.get(i + 1))) {
                continue;
            }
            if (behavior != Behavior.REMOVED || !match) {
                to.add(text.substring(from, ends.getInt(i)), start && from == 0);
            }
            from = ends.getInt(i);
        }
    }

    /** Whether a part and the next stay together. */
    private boolean joins(boolean match, boolean nextMatch) {
        return switch (behavior) {
            case REMOVED, ISOLATED -> false;
            case CONTIGUOUS -> match == nextMatch;
            case MERGED_WITH_PREVIOUS -> !match && nextMatch;
            case MERGED_WITH_NEXT -> match && !nextMatch;
        };
    }
}
