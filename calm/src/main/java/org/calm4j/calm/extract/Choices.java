package org.calm4j.calm.extract;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.calm4j.calm.data.Question;

/** A question's options, ready to be found in a folded text. */
final class Choices {
    /** Longer texts are not searched for; that would not be linear. */
    private static final int LONGEST_TEXT = 1000;

    private static final int[] NONE = {};

    private final List<String> labels = new ArrayList<>();
    private final List<String> texts = new ArrayList<>();
    private final List<String> names = new ArrayList<>();
    private final Map<Character, int[]> labelled = new HashMap<>();
    private final boolean lettered;

    /** Where the text of an option stands. */
    private record Place(int start, int end, int choice) {}

    Choices(List<Question.Choice> choices) {
        for (Question.Choice choice : choices) {
            String label = choice.label();
            if (!label.isEmpty()) {
                char first = Character.toLowerCase(label.charAt(0));
                int[] before = labelled.getOrDefault(first, NONE);
                labelled.put(
                        first,
                        IntStream.concat(IntStream.of(before), IntStream.of(labels.size()))
                                .toArray());
            }
            labels.add(label);
            Folded folded = Folded.of(bare(choice.text()));
            texts.add(folded.text().length() > LONGEST_TEXT ? "" : CharClass.lower(folded.text()));
            names.add(folded.names().length() > LONGEST_TEXT ? "" : folded.names());
        }
        lettered =
                IntStream.range(0, labels.size()).allMatch(i -> labels.get(i).equals(String.valueOf((char) ('A' + i))));
    }

    private static String bare(String text) {
        String bare = text.strip();
        return bare.endsWith(".") || bare.endsWith("。") ? bare.substring(0, bare.length() - 1) : bare;
    }

    int size() {
        return labels.size();
    }

    String label(int choice) {
        return labels.get(choice);
    }

    /** The options whose label begins with a character, in lower case. */
    int[] labelled(char first) {
        return labelled.getOrDefault(first, NONE);
    }

    /** Whether the labels are A, B, C …, so that letters of other scripts and numbers stand for them. */
    boolean lettered() {
        return lettered;
    }

    /** Folded, in lower case, without a full stop; empty where it is too long to be looked for. */
    String text(int choice) {
        return texts.get(choice);
    }

    /** The number of labels that stand side by side as one word, such as "BC"; 0 where the word is not one. */
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

    /** The option whose text, the longest that does, stands at a place of a text in lower case; -1 without. */
    int textAt(String lower, int at) {
        int best = -1;
        for (int i = 0; i < texts.size(); i++) {
            String text = texts.get(i);
            if (!text.isEmpty()
                    && (best < 0 || text.length() > texts.get(best).length())
                    && lower.startsWith(text, at)
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

    /** The options whose texts a passage states ({@link Folded#names}): those inside a longer one are not stated. */
    Set<Integer> stated(String passage) {
        // First as words between spaces and punctuation, so that 中非共和国 does not state 中非; then also inside text without
        // spaces.
        Set<Integer> strict = places(passage, true);
        return strict.isEmpty() ? places(passage, false) : strict;
    }

    private Set<Integer> places(String passage, boolean strict) {
        List<Place> places = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            String text = names.get(i);
            for (int at = text.isEmpty() ? -1 : passage.indexOf(text);
                    at >= 0;
                    at = passage.indexOf(text, at + text.length())) {
                if (bounded(passage, at, at + text.length(), strict)) {
                    places.add(new Place(at, at + text.length(), i));
                }
            }
        }
        places.sort(Comparator.comparingInt(Place::start)
                .thenComparing(Comparator.comparingInt(Place::end).reversed()));
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
        return strict
                ? !CharClass.word(next)
                : next != CharClass.JOINER && (!CharClass.spaced(next) || !CharClass.spaced(text.charAt(inside)));
    }
}
