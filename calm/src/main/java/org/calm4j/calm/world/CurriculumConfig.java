package org.calm4j.calm.world;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import org.calm4j.engine.CalmException;

/**
 * What pretraining reads: how much, and what an epoch is made of. What is absent is as in {@code world.yaml}.
 *
 * @param tokens all together
 * @param warmupTokens of these, those of the warm-up, which teaches to copy
 * @param warmupFictional share of the fictional questions among the warm-up texts; the others are repeats
 * @param statementCopies how often each known statement occurs in an epoch
 * @param longestDocument the most statements and dictionary lines in one document
 * @param practised share of the known facts of a language that are also practised as questions
 * @param detoured share of the practised questions that are answered by a detour, where a hub knows the fact, too
 * @param walks detours of practised facts that are read up to the choice of the hub, and learned from there: the skill, not the habit
 * @param fictional questions about a fictional place, where any option is the answer: only copying helps
 * @param fictionalPlaces fictional places, which have a name in each language, with lines in the dictionary
 * @param fictionalNamed share of the fictional questions about them; the others are about any word
 * @param guesses questions about facts that the language does not know: any option is as good
 * @param detourGuesses the same within a detour, about facts that the hub does not know
 * @param repeats random words, said twice
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record CurriculumConfig(
        Long tokens,
        Long warmupTokens,
        Double warmupFictional,
        Integer statementCopies,
        Integer longestDocument,
        Double practised,
        Double detoured,
        Integer walks,
        Integer fictional,
        Integer fictionalPlaces,
        Double fictionalNamed,
        Integer guesses,
        Integer detourGuesses,
        Integer repeats) {

    public CurriculumConfig {
        CurriculumConfig base = complete(
                        tokens,
                        warmupTokens,
                        warmupFictional,
                        statementCopies,
                        longestDocument,
                        practised,
                        detoured,
                        walks,
                        fictional,
                        fictionalPlaces,
                        fictionalNamed,
                        guesses,
                        detourGuesses,
                        repeats)
                ? null
                : WorldConfig.standard().texts();
        tokens = tokens == null ? base.tokens : tokens;
        warmupTokens = warmupTokens == null ? base.warmupTokens : warmupTokens;
        warmupFictional = warmupFictional == null ? base.warmupFictional : warmupFictional;
        statementCopies = statementCopies == null ? base.statementCopies : statementCopies;
        longestDocument = longestDocument == null ? base.longestDocument : longestDocument;
        practised = practised == null ? base.practised : practised;
        detoured = detoured == null ? base.detoured : detoured;
        walks = walks == null ? base.walks : walks;
        fictional = fictional == null ? base.fictional : fictional;
        fictionalPlaces = fictionalPlaces == null ? base.fictionalPlaces : fictionalPlaces;
        fictionalNamed = fictionalNamed == null ? base.fictionalNamed : fictionalNamed;
        guesses = guesses == null ? base.guesses : guesses;
        detourGuesses = detourGuesses == null ? base.detourGuesses : detourGuesses;
        repeats = repeats == null ? base.repeats : repeats;
        check(tokens > 0, "tokens must be at least 1");
        check(warmupTokens >= 0, "warmup_tokens must be at least 0");
        share(warmupFictional, "warmup_fictional");
        share(practised, "practised");
        share(detoured, "detoured");
        share(fictionalNamed, "fictional_named");
        check(longestDocument >= 1, "longest_document must be at least 1");
        check(
                statementCopies >= 0
                        && walks >= 0
                        && fictional >= 0
                        && fictionalPlaces >= 0
                        && guesses >= 0
                        && detourGuesses >= 0
                        && repeats >= 0,
                "statement_copies, walks, fictional, fictional_places, guesses, detour_guesses and repeats must be at least 0");
        check(
                statementCopies + fictional + repeats > 0,
                "an epoch without statements, fictional questions and repeats could be empty");
    }

    private static boolean complete(Object... values) {
        for (Object value : values) {
            if (value == null) {
                return false;
            }
        }
        return true;
    }

    private static void share(double value, String name) {
        check(value >= 0 && value <= 1, name + " must be from 0 to 1");
    }

    private static void check(boolean right, String problem) {
        if (!right) {
            throw CalmException.usage("texts: " + problem);
        }
    }

    /** The same texts, a part of them. */
    public CurriculumConfig withTokens(long all, long warmup) {
        return new CurriculumConfig(
                all,
                warmup,
                warmupFictional,
                statementCopies,
                longestDocument,
                practised,
                detoured,
                walks,
                fictional,
                fictionalPlaces,
                fictionalNamed,
                guesses,
                detourGuesses,
                repeats);
    }
}
