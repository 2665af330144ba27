package org.calm4j.calm.world;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;

/**
 * A world and its texts, as in a YAML file; absent keys have the values of {@code world.yaml}, which explains them.
 *
 * @param languages ISO 639-1, each of {@link World#supportedLanguages}
 * @param hubs those that the others ask; absent: the two of the default world where both are there, otherwise the first two languages
 * @param territories how many territories; each has one fact for each {@link Relation}
 * @param valueCap the most territories that share a value, so that guessing the most frequent value does not pay
 * @param heldOut share of the facts that CALM never trains on
 * @param options choices of a question
 * @param trainingSets option sets asked of each training fact
 * @param evaluationSets other option sets, for the evaluation of training facts
 * @param heldOutSets option sets, for the evaluation of held-out facts
 * @param coverage relation to language to the share of its facts that the language's texts state; what is absent has a default: the first hub
 *     knows most main languages, the second most regions, and so on in turns, and every other language has a share of its own
 * @param texts what pretraining reads
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record WorldConfig(
        List<String> languages,
        List<String> hubs,
        Integer territories,
        Integer valueCap,
        Double heldOut,
        Integer options,
        Integer trainingSets,
        Integer evaluationSets,
        Integer heldOutSets,
        Map<String, Map<String, Double>> coverage,
        CurriculumConfig texts) {
    private static final int HUBS = 2;
    private static final int MOST_OPTIONS = 10;
    /** What a hub knows of what it is asked for, and of the rest. */
    private static final double STRONG = 0.9;

    private static final Map<Relation, Double> WEAK = Map.of(Relation.REGION, 0.35, Relation.LANGUAGE, 0.3);

    /** {@code world.yaml}, apart, because reading it makes a {@link WorldConfig}. */
    private static final class Default {
        static final WorldConfig CONFIG = load();
    }

    public WorldConfig {
        languages = languages == null ? Default.CONFIG.languages : List.copyOf(languages);
        check(
                !languages.isEmpty() && new HashSet<>(languages).size() == languages.size(),
                "the languages of the world must be one or more, each named once: " + languages);
        for (String language : languages) {
            check(
                    Phrasing.ALL.containsKey(language),
                    "the world does not speak '" + language + "'; choose from "
                            + String.join(" ", Phrasing.ALL.keySet()));
        }
        hubs = hubs == null ? hubsOf(languages) : List.copyOf(hubs);
        check(
                new HashSet<>(hubs).size() == hubs.size() && languages.containsAll(hubs),
                "hubs must be some of the languages " + languages + ", each named once: " + hubs);
        territories = territories == null ? Default.CONFIG.territories : territories;
        valueCap = valueCap == null ? Default.CONFIG.valueCap : valueCap;
        heldOut = heldOut == null ? Default.CONFIG.heldOut : heldOut;
        options = options == null ? Default.CONFIG.options : options;
        trainingSets = trainingSets == null ? Default.CONFIG.trainingSets : trainingSets;
        evaluationSets = evaluationSets == null ? Default.CONFIG.evaluationSets : evaluationSets;
        heldOutSets = heldOutSets == null ? Default.CONFIG.heldOutSets : heldOutSets;
        check(territories >= 1, "territories must be at least 1");
        check(valueCap >= 1, "value_cap must be at least 1");
        check(heldOut >= 0 && heldOut < 1, "held_out must be from 0 to below 1");
        check(options >= 2 && options <= MOST_OPTIONS, "options must be from 2 to " + MOST_OPTIONS);
        check(
                trainingSets >= 0 && evaluationSets >= 0 && heldOutSets >= 0,
                "training_sets, evaluation_sets and held_out_sets must be at least 0");
        coverage = complete(languages, hubs, coverage == null ? Map.of() : coverage);
        texts = texts == null ? Default.CONFIG.texts : texts;
    }

    /** The default world. */
    public static WorldConfig standard() {
        return Default.CONFIG;
    }

    /** The default world in other languages. */
    public static WorldConfig of(List<String> languages) {
        return languages.equals(standard().languages)
                ? standard()
                : new WorldConfig(languages, null, null, null, null, null, null, null, null, null, null);
    }

    /** The same with other numbers of option sets. */
    public WorldConfig withSets(int training, int evaluation, int heldOutQuestions) {
        return new WorldConfig(
                languages,
                hubs,
                territories,
                valueCap,
                heldOut,
                options,
                training,
                evaluation,
                heldOutQuestions,
                coverage,
                texts);
    }

    /** The same with other texts. */
    public WorldConfig withTexts(CurriculumConfig other) {
        return new WorldConfig(
                languages,
                hubs,
                territories,
                valueCap,
                heldOut,
                options,
                trainingSets,
                evaluationSets,
                heldOutSets,
                coverage,
                other);
    }

    double coverage(Relation relation, String language) {
        return coverage.get(relation.id()).get(language);
    }

    /** The relation that a hub is asked for, in turns. */
    private static Relation strength(int hub) {
        return hub % 2 == 0 ? Relation.LANGUAGE : Relation.REGION;
    }

    private static List<String> hubsOf(List<String> languages) {
        List<String> known = Default.CONFIG.hubs;
        return languages.containsAll(known) ? known : languages.subList(0, Math.min(HUBS, languages.size()));
    }

    private static Map<String, Map<String, Double>> complete(
            List<String> languages, List<String> hubs, Map<String, Map<String, Double>> given) {
        Map<String, Map<String, Double>> all = new LinkedHashMap<>();
        for (Relation relation : Relation.values()) {
            Map<String, Double> own = given.get(relation.id()) == null ? Map.of() : given.get(relation.id());
            own.forEach((language, share) -> {
                String key = "coverage." + relation.id() + "." + language;
                check(
                        languages.contains(language),
                        key + ": the languages of the world are " + String.join(" ", languages));
                check(share != null && share >= 0 && share <= 1, key + " must be from 0 to 1");
            });
            Map<String, Double> shares = new LinkedHashMap<>();
            for (String language : languages) {
                int hub = hubs.indexOf(language);
                double share = hub < 0
                        ? Phrasing.ALL.get(language).coverage()
                        : strength(hub) == relation ? STRONG : WEAK.get(relation);
                shares.put(language, own.getOrDefault(language, share));
            }
            all.put(relation.id(), shares);
        }
        given.keySet()
                .forEach(relation -> check(
                        all.containsKey(relation),
                        "coverage." + relation + ": the relations are "
                                + String.join(
                                        " ",
                                        Stream.of(Relation.values())
                                                .map(Relation::id)
                                                .toList())));
        return all;
    }

    private static void check(boolean right, String problem) {
        if (!right) {
            throw CalmException.usage(problem);
        }
    }

    private static WorldConfig load() {
        try (InputStream in = WorldConfig.class.getResourceAsStream("world.yaml")) {
            return new YAMLMapper().readValue(in, WorldConfig.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
