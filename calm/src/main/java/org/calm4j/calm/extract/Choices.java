package org.calm4j.calm.extract;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.calm4j.calm.data.Question;

/** A question's options, ready to be found in a folded text. */
final class Choices {
    /** Longer texts are no names to search for, and searching them would not be linear. */
    private static final int LONGEST_TEXT = 1000;

    private final List<String> labels = new ArrayList<>();
    private final List<String> texts = new ArrayList<>();
    private final List<String> joined = new ArrayList<>();

    private record Place(int start, int end, int choice) {
    }

    Choices(List<Question.Choice> choices) {
        for (Question.Choice choice : choices) {
            labels.add(choice.label());
            String text = CharClass.lower(bare(CharClass.folded(choice.text())));
            texts.add(text.length() > LONGEST_TEXT ? "" : text);
            String name = joined(bare(choice.text()));
            joined.add(name.length() > LONGEST_TEXT ? "" : name);
        }
    }

    private static String bare(String text) {
        String bare = text.strip();
        return bare.endsWith(".") || bare.endsWith("。") ? bare.substring(0, bare.length() - 1) : bare;
    }

    // A no-break space joins the words of a name; beside punctuation, as French has it, it is a space.
    private static String joined(String text) {
        StringBuilder joined = new StringBuilder(text);
        for (int i = text.indexOf('\u00A0'); i >= 0; i = text.indexOf('\u00A0', i + 1)) {
            boolean within = i > 0 && i + 1 < text.length() && Character.isLetterOrDigit(text.charAt(i - 1))
                    && Character.isLetterOrDigit(text.charAt(i + 1));
            joined.setCharAt(i, within ? CharClass.JOINER : ' ');
        }
        return CharClass.lower(CharClass.folded(joined.toString()));
    }

    int size() {
        return labels.size();
    }

    String label(int choice) {
        return labels.get(choice);
    }

    /** Folded, in lower case, without a full stop; empty where it is too long to be looked for. */
    String text(int choice) {
        return texts.get(choice);
    }

    /** The option whose label stands at a place of a text, as a word of its own; -1 without. */
    int labelAt(String text, int at) {
        for (int i = 0; i < labels.size(); i++) {
            String label = labels.get(i);
            if (!label.isEmpty() && text.regionMatches(true, at, label, 0, label.length()) && endsLabel(text, at + label.length())) {
                return i;
            }
        }
        return -1;
    }

    /** The number of labels that stand side by side as one word, such as "BC"; 0 where the word is none. */
    int labelsAt(String text, int at) {
        int end = at;
        while (end < text.length() && CharClass.spaced(text.charAt(end))) {
            if (end - at == labels.size() || !labels.contains(text.substring(end, end + 1))) {
                return 0;
            }
            end++;
        }
        return end - at;
    }

    private static boolean endsLabel(String text, int end) {
        if (end >= text.length()) {
            return true;
        }
        char next = text.charAt(end);
        boolean hyphened = (next == '-' || next == '\'') && end + 1 < text.length() && CharClass.spaced(text.charAt(end + 1));
        return !CharClass.spaced(next) && !hyphened;
    }

    /** The option whose text, the longest that does, stands at a place of a text in lower case; -1 without. */
    int textAt(String lower, int at) {
        int best = -1;
        for (int i = 0; i < texts.size(); i++) {
            String text = texts.get(i);
            if (!text.isEmpty() && (best < 0 || text.length() > texts.get(best).length()) && lower.startsWith(text, at)
                    && bounded(lower, at, at + text.length(), false)) {
                best = i;
            }
        }
        return best;
    }

    /** Whether another option has the same text, so that the text alone does not tell them apart. */
    boolean ambiguous(int choice) {
        return texts.indexOf(texts.get(choice)) != texts.lastIndexOf(texts.get(choice));
    }

    /** The options whose texts a passage, as it was written, states: those inside a longer one are not stated. */
    Set<Integer> stated(String passage) {
        // First as words between spaces and punctuation, so that 中非共和国 does not state 中非; then also inside text without spaces.
        String text = joined(passage);
        Set<Integer> strict = places(text, true);
        return strict.isEmpty() ? places(text, false) : strict;
    }

    private Set<Integer> places(String passage, boolean strict) {
        List<Place> places = new ArrayList<>();
        for (int i = 0; i < joined.size(); i++) {
            String text = joined.get(i);
            for (int at = text.isEmpty() ? -1 : passage.indexOf(text); at >= 0; at = passage.indexOf(text, at + text.length())) {
                if (bounded(passage, at, at + text.length(), strict)) {
                    places.add(new Place(at, at + text.length(), i));
                }
            }
        }
        places.sort(Comparator.comparingInt(Place::start).thenComparing(Comparator.comparingInt(Place::end).reversed()));
        Set<Integer> stated = new LinkedHashSet<>();
        int covered = -1;
        int coveredFrom = -1;
        for (Place place : places) {
            boolean same = place.start == coveredFrom && place.end == covered;
            if (place.end > covered || same) {
                stated.add(place.choice);
                covered = place.end;
                coveredFrom = place.start;
            }
        }
        return stated;
    }

    private static boolean bounded(String text, int start, int end, boolean strict) {
        return open(text, start - 1, start, strict) && open(text, end, end - 1, strict);
    }

    private static boolean open(String text, int outside, int inside, boolean strict) {
        if (outside < 0 || outside >= text.length()) {
            return true;
        }
        char next = text.charAt(outside);
        return strict ? !CharClass.word(next)
                : next != CharClass.JOINER && (!CharClass.spaced(next) || !CharClass.spaced(text.charAt(inside)));
    }
}
