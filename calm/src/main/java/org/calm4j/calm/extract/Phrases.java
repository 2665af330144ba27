package org.calm4j.calm.extract;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The words around an answer, from {@code phrases.yaml}. */
final class Phrases {
    static final Phrases ALL = load();
    private static final int[] NONE = {};

    private record Lists(@JsonProperty(required = true) List<String> markers, @JsonProperty(required = true) List<List<String>> fillers,
            @JsonProperty(required = true) List<String> conjunctions, @JsonProperty(required = true) List<String> none,
            @JsonProperty(required = true) List<String> is, @JsonProperty(required = true) List<String> correct,
            @JsonProperty(required = true) List<String> wrong) {
    }

    /** An answer follows these. */
    final Set<String> markers;
    /** "is", and behind it "correct". */
    final Set<String> is;
    final Set<String> correct;
    /** The contrary. */
    final Set<String> wrong;
    final Set<String> fillers;
    final Set<String> conjunctions;
    final Set<String> none;
    /** First character to the lengths of the words that begin with it, longest first. */
    private final Map<Character, int[]> lengths;

    private Phrases(Lists lists) {
        markers = Set.copyOf(lists.markers);
        is = Set.copyOf(lists.is);
        correct = Set.copyOf(lists.correct);
        wrong = Set.copyOf(lists.wrong);
        fillers = lists.fillers.stream().flatMap(List::stream).collect(Collectors.toUnmodifiableSet());
        conjunctions = Set.copyOf(lists.conjunctions);
        none = Set.copyOf(lists.none);
        Set<String> all = Stream.of(markers, fillers, conjunctions, none, is, correct, wrong).flatMap(Set::stream).collect(Collectors.toSet());
        lengths = all.stream().collect(Collectors.groupingBy(word -> word.charAt(0), Collectors.collectingAndThen(Collectors.toList(),
                words -> words.stream().mapToInt(word -> -word.length()).distinct().sorted().map(length -> -length).toArray())));
    }

    private static Phrases load() {
        try (InputStream in = Phrases.class.getResourceAsStream("phrases.yaml")) {
            return new Phrases(new YAMLMapper().readValue(in, Lists.class));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The length of the longest of the words that stands at a place, as a whole word in scripts that have them; 0 when none does. */
    int match(Set<String> words, String lower, int at) {
        if (at > 0 && at < lower.length() && CharClass.spaced(lower.charAt(at)) && CharClass.spaced(lower.charAt(at - 1))) {
            return 0;
        }
        for (int length : lengths.getOrDefault(at < lower.length() ? lower.charAt(at) : ' ', NONE)) {
            int end = at + length;
            boolean whole = end <= lower.length() && (end == lower.length() || !CharClass.spaced(lower.charAt(end - 1)) || !CharClass.spaced(lower.charAt(end)));
            if (whole && words.contains(lower.substring(at, end))) {
                return length;
            }
        }
        return 0;
    }
}
