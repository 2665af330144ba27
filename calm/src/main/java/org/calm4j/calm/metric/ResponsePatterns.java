package org.calm4j.calm.metric;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.text.BoundedRegex;

/**
 * Kinds of responses, by name: each a regular expression, or one for each language. A response is of the first kind whose expression occurs
 * in it; of none, it is {@link #OTHER}.
 *
 * @param byName name to language to expression; the language {@code *} stands for all
 */
public record ResponsePatterns(Map<String, Map<String, String>> byName) {
    /** Responses of no kind. */
    public static final String OTHER = "other";

    private static final String ALL = "*";
    private static final String SECTION = "patterns";

    public ResponsePatterns {
        byName = Collections.unmodifiableMap(new LinkedHashMap<>(byName));
        byName.forEach((name, own) -> own.forEach((language, regex) -> {
            if (name.equals(OTHER) || regex == null) {
                throw CalmException.usage(SECTION + "." + name
                        + (regex == null ? ": an expression is missing" : ": give it another name"));
            }
            BoundedRegex.occurs(regex, "", SECTION + "." + name);
        }));
    }

    /** As in a file: an expression for all languages, or a map of languages. */
    @JsonCreator
    static ResponsePatterns of(Map<String, Object> given) {
        Map<String, Map<String, String>> byName = new LinkedHashMap<>();
        given.forEach((name, value) -> {
            Map<String, String> own = new LinkedHashMap<>();
            if (value instanceof Map<?, ?> languages) {
                languages.forEach((language, regex) -> own.put(language.toString(), text(name, regex)));
            } else {
                own.put(ALL, text(name, value));
            }
            byName.put(name, own);
        });
        return new ResponsePatterns(byName);
    }

    private static String text(String name, Object regex) {
        if (!(regex instanceof String text) || text.isEmpty()) {
            throw CalmException.usage(
                    SECTION + "." + name + ": expected a regular expression, or one for each language");
        }
        return text;
    }

    @JsonValue
    Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        byName.forEach((name, own) -> json.put(name, own.keySet().equals(Set.of(ALL)) ? own.get(ALL) : own));
        return json;
    }

    /** Those of the kinds, in their order. */
    public Set<String> names() {
        return byName.keySet();
    }

    /** The name of a response's kind. */
    public String kind(String response, String language) {
        for (Map.Entry<String, Map<String, String>> each : byName.entrySet()) {
            String regex =
                    each.getValue().getOrDefault(language, each.getValue().get(ALL));
            if (regex != null && BoundedRegex.occurs(regex, response, SECTION + "." + each.getKey())) {
                return each.getKey();
            }
        }
        return OTHER;
    }

    /** One response, and what is known of it. */
    private record Said(
            String kind, String language, String relation, String answer, String truth, List<String> compared) {
        double agreement() {
            return compared.stream()
                            .filter(other -> answer != null && answer.equals(other))
                            .count()
                    / (double) compared.size();
        }
    }

    /**
     * All kinds, in their order; the others last, where there are some.
     *
     * @param votes what each question's answers are compared with; null to compare the languages
     */
    public Map<String, ResponseKind> count(List<Samples> lines, List<Vote> votes) {
        Map<String, Map<String, String>> answers = new LinkedHashMap<>();
        lines.forEach(line -> answers.computeIfAbsent(line.id(), id -> new LinkedHashMap<>())
                .put(line.language(), MajorityVote.prediction(line).prediction()));
        Map<List<String>, String> winners = new LinkedHashMap<>();
        if (votes != null) {
            votes.forEach(vote -> winners.put(place(vote.id(), vote.language()), vote.answer()));
        }
        List<Said> all = new ArrayList<>();
        for (Samples line : lines) {
            List<String> compared = new ArrayList<>();
            if (votes == null) {
                answers.get(line.id()).forEach((language, answer) -> {
                    if (!language.equals(line.language())) {
                        compared.add(answer);
                    }
                });
            } else {
                String winner =
                        winners.getOrDefault(place(line.id(), line.language()), winners.get(place(line.id(), null)));
                Collections.addAll(compared, winner == null ? new String[0] : new String[] {winner});
            }
            line.responses()
                    .forEach(response -> all.add(new Said(
                            kind(response.text(), line.language()),
                            line.language(),
                            line.relation(),
                            response.answer(),
                            line.answer(),
                            compared)));
        }
        Map<String, ResponseKind> kinds = new LinkedHashMap<>();
        Set<String> names = new LinkedHashSet<>(byName.keySet());
        names.add(OTHER);
        for (String name : names) {
            List<Said> own = all.stream().filter(said -> said.kind.equals(name)).toList();
            if (!name.equals(OTHER) || !own.isEmpty()) {
                kinds.put(name, kind(own, all));
            }
        }
        return kinds;
    }

    /** One line of text. */
    public static String text(Map<String, ResponseKind> kinds) {
        StringBuilder text = new StringBuilder("Responses:");
        kinds.forEach((name, kind) -> {
            text.append(text.charAt(text.length() - 1) == ':' ? " " : "; ")
                    .append(name)
                    .append(String.format(Locale.ROOT, " %.1f %%", 100 * kind.share()));
            String right =
                    kind.accuracy() == null ? "" : String.format(Locale.ROOT, "right %.1f %%", 100 * kind.accuracy());
            String agreeing = kind.agreement() == null
                    ? ""
                    : String.format(Locale.ROOT, "agreeing %.1f %%", 100 * kind.agreement());
            String both = right.isEmpty() || agreeing.isEmpty() ? right + agreeing : right + ", " + agreeing;
            text.append(both.isEmpty() ? "" : " (" + both + ")");
        });
        return text.append('.').toString();
    }

    private static List<String> place(String id, String language) {
        return language == null ? List.of(id) : List.of(id, language);
    }

    private static ResponseKind kind(List<Said> own, List<Said> all) {
        List<Said> graded = own.stream().filter(said -> said.truth != null).toList();
        List<Said> compared =
                own.stream().filter(said -> !said.compared.isEmpty()).toList();
        return new ResponseKind(
                own.size(),
                all.isEmpty() ? 0 : own.size() / (double) all.size(),
                graded.isEmpty() ? null : share(graded, said -> said.truth.equals(said.answer)),
                compared.isEmpty()
                        ? null
                        : compared.stream()
                                .mapToDouble(Said::agreement)
                                .average()
                                .orElseThrow(),
                own.isEmpty() ? 0 : share(own, said -> said.answer == null),
                shares(own, all, Said::language),
                shares(own, all, Said::relation));
    }

    private static double share(List<Said> some, Predicate<Said> of) {
        return some.stream().filter(of).count() / (double) some.size();
    }

    private static Map<String, Double> shares(List<Said> own, List<Said> all, Function<Said, String> group) {
        Map<String, Double> shares = new TreeMap<>();
        all.stream()
                .map(group)
                .filter(Objects::nonNull)
                .distinct()
                .forEach(name -> shares.put(
                        name,
                        own.stream()
                                        .filter(said -> name.equals(group.apply(said)))
                                        .count()
                                / (double) all.stream()
                                        .filter(said -> name.equals(group.apply(said)))
                                        .count()));
        return shares.isEmpty() ? null : shares;
    }
}
