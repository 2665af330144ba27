package org.calm4j.calm.world;

import java.util.HashSet;
import java.util.List;
import org.calm4j.engine.CalmException;

/**
 * The size of the world and what of it is told, held out and asked.
 *
 * @param languages ISO 639-1, each of {@link World#supportedLanguages}
 * @param territories how many territories; each has one fact for each {@link Relation}
 * @param valueCap the most territories that share a value, so that the most frequent value is no good guess
 * @param heldOut share of the facts that CALM never trains on
 * @param options choices of a question
 * @param trainingSets option sets asked of each training fact
 * @param evaluationSets other option sets, for the evaluation of training facts
 * @param heldOutSets option sets, for the evaluation of held-out facts
 */
public record WorldConfig(List<String> languages, long seed, int territories, int valueCap, double heldOut, int options,
        int trainingSets, int evaluationSets, int heldOutSets) {
    public static final List<String> DEFAULT_LANGUAGES = List.of("en", "zh", "fr", "de", "it", "ja");
    private static final int MOST_OPTIONS = 10;

    public WorldConfig {
        languages = List.copyOf(languages);
        if (languages.isEmpty() || new HashSet<>(languages).size() != languages.size()) {
            throw CalmException.usage("the languages of the world must be one or more, each named once: " + languages);
        }
        for (String language : languages) {
            if (!Phrasing.ALL.containsKey(language)) {
                throw CalmException.usage("the world does not speak '" + language + "'; choose from "
                        + String.join(" ", Phrasing.ALL.keySet()));
            }
        }
        if (territories < 1 || valueCap < 1 || !(heldOut >= 0 && heldOut < 1) || options < 2 || options > MOST_OPTIONS || trainingSets < 0
                || evaluationSets < 0 || heldOutSets < 0) {
            throw CalmException.usage("these sizes make no world: territories " + territories + ", value cap " + valueCap + ", held out "
                    + heldOut + ", options " + options + ", option sets " + trainingSets + " " + evaluationSets + " " + heldOutSets);
        }
    }

    /** 96 territories, 14 a value, 30 % held out, 4 options; 4 sets to train on, 2 to evaluate on, 4 for each held-out fact. */
    public static WorldConfig of(List<String> languages, long seed) {
        return new WorldConfig(languages, seed, 96, 14, 0.3, 4, 4, 2, 4);
    }
}
