package org.calm4j.calm.pair;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Question.Choice;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.TwoLanguagePair;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PairOptions;
import org.calm4j.calm.option.VoteOptions;
import org.calm4j.calm.prompt.PromptTemplate;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.translate.Translator;
import org.calm4j.calm.vote.VoteStage;
import org.calm4j.calm.vote.VoteSummary;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class VoteAndPairsTest {
    private static final List<Choice> CHOICES = List.of(new Choice("A", "east"), new Choice("B", "west"));
    private static final PromptTemplate TEMPLATE = new PromptTemplate("{question} {choices} ?", "{text}", ",");
    private static final PromptTemplates PROMPTS = new PromptTemplates(Map.of("en", TEMPLATE, "fr", TEMPLATE));

    @TempDir
    private Path folder;

    private VoteSummary summary;

    @Test
    void allLanguagesVoteAlike() {
        List<Vote> votes = votes(
                Options.standard(VoteOptions.class),
                line("1", "en", "A", "A", "B", null),
                line("1", "fr", "B", "B"),
                line("2", "en", "A", "B"),
                line("3", "en", null, null));
        assertThat(votes.get(0))
                .isEqualTo(new Vote(
                        "1",
                        "B",
                        Map.of("A", 2, "B", 3),
                        Map.of("en", Map.of("A", 2, "B", 1), "fr", Map.of("B", 2)),
                        0.6,
                        false));
        assertThat(votes.get(1).answer()).isNull();
        assertThat(votes.get(1).tie()).isTrue();
        assertThat(votes.get(2).answer()).isNull();
        assertThat(votes.get(2).tie()).isFalse();
        assertThat(votes.get(2).agreement()).isZero();
    }

    @Test
    void whatIsLeftOutIsNotGraded() {
        VoteOptions options = Options.make(VoteOptions.class, Map.of("tie", VoteOptions.Tie.SKIP));
        votes(options, labelled("1", "en", "A", "A", "B"), labelled("2", "en", "A", "A", "A"));
        assertThat(summary.skipped()).isEqualTo(1);
        assertThat(summary.graded()).isEqualTo(1);
        assertThat(summary.accuracy()).isEqualTo(1);
        assertThat(summary.text())
                .contains("Accuracy where the answer is known (1), ties counted as wrong: the vote 100.0 %");
    }

    private static final Samples[] TIED = {
        line("1", "en", "A", "B", "B"), line("1", "fr", "A", "A", "B"), line("2", "en", "A"), line("2", "fr", "A")
    };

    @Test
    void aTieIsLeftOutOrResolvedAsAskedFor() {
        VoteOptions options = Options.standard(VoteOptions.class);
        assertThat(votes(options, TIED)).extracting(Vote::answer).containsExactly(null, "A");
        options = Options.with(options, Map.of("tie", VoteOptions.Tie.SKIP));
        assertThat(votes(options, TIED)).extracting(Vote::id).containsExactly("2");
        options = Options.with(options, Map.of("tie", VoteOptions.Tie.LANGUAGE_ORDER));
        assertThat(votes(options, TIED)).extracting(Vote::answer).containsExactly("B", "A");
        options = Options.with(options, Map.of("languages", List.of("fr", "en")));
        assertThat(votes(options, TIED)).extracting(Vote::answer).containsExactly("A", "A");
        VoteOptions byProbability = Options.make(VoteOptions.class, Map.of("tie", VoteOptions.Tie.LOGPROB));
        assertThatThrownBy(() -> votes(
                        byProbability,
                        new Samples(
                                new Question("1", "en", "?", CHOICES, null, null, null),
                                null,
                                null,
                                List.of(
                                        new Samples.Response("a", "A", null, null),
                                        new Samples.Response("b", "B", null, null)))))
                .hasMessageContaining("logprob");
        Samples sure = new Samples(
                new Question("1", "en", "?", CHOICES, null, null, null),
                null,
                null,
                List.of(new Samples.Response("a", "A", -9.0, 10), new Samples.Response("b", "B", -2.0, 2)));
        Vote vote = votes(byProbability, sure).getFirst();
        assertThat(vote.answer()).isEqualTo("A");
        assertThat(vote.tie()).isTrue();
        assertThat(vote.agreement()).isEqualTo(0.5);
    }

    @Test
    void votesWeighByLanguageAndByProbability() {
        VoteOptions options = Options.make(VoteOptions.class, Map.of("language_weights", Map.of("en", 1.5)));
        Vote vote = votes(options, TIED).getFirst();
        assertThat(vote.answer()).isEqualTo("B");
        assertThat(vote.votes()).isEqualTo(Map.of("A", 3, "B", 3));
        assertThat(vote.scores()).isEqualTo(Map.of("A", 3.5, "B", 4.0));
        assertThat(vote.agreement()).isEqualTo(4 / 7.5);
        assertThat(vote.tie()).isFalse();
        options = Options.with(options, Map.of("weighting", VoteOptions.Weighting.PROBABILITY));
        Vote both = votes(options, TIED).getFirst();
        assertThat(both.scores().get("B")).isCloseTo(4 * Math.exp(-0.25), within(1e-12));
        VoteOptions unknown = Options.with(options, Map.of("language_weights", Map.of("xx", 1.0)));
        assertThatThrownBy(() -> votes(unknown, TIED))
                .hasMessageContaining("xx")
                .hasMessageContaining("[en, fr]");
    }

    @Test
    void aWinnerNeedsTheMinimumAgreement() {
        VoteOptions options = Options.make(VoteOptions.class, Map.of("minimum_agreement", 0.8));
        Samples[] lines = {
            line("1", "en", "A", "A", "A"),
            line("1", "fr", "A", "B"),
            line("2", "en", "B", "B"),
            line("2", "fr", "B", "A")
        };
        assertThat(votes(options, lines)).extracting(Vote::answer).containsExactly("A", null);
        assertThat(summary.questions()).isEqualTo(2);
        assertThat(summary.belowMinimum()).isEqualTo(1);
        assertThat(summary.winners()).isEqualTo(1);
    }

    @Test
    void rivalsAreVotesToo() {
        Samples[] lines = {
            labelled("1", "en", "A", "B", "B"), labelled("1", "fr", "A", "A", "B"), labelled("2", "en", "B", "A")
        };
        VoteOptions options = Options.make(VoteOptions.class, Map.of("vote_by", VoteOptions.VoteBy.LANGUAGE));
        List<Vote> alone = votes(options, lines);
        assertThat(alone).extracting(Vote::language).containsExactly("en", "fr", "en");
        assertThat(alone).extracting(Vote::answer).containsExactly("B", null, "A");
        options = Options.with(options, Map.of("vote_by", VoteOptions.VoteBy.TRUTH));
        List<Vote> truth = votes(options, lines);
        assertThat(truth).extracting(Vote::answer).containsExactly("A", "B");
        assertThat(truth).extracting(Vote::agreement).containsExactly(0.25, 0.0);
        options = Options.with(options, Map.of("vote_by", VoteOptions.VoteBy.ALL));
        options = Options.with(options, Map.of("languages", List.of("en")));
        assertThat(votes(options, lines)).extracting(Vote::answer).containsExactly("B", "A");
        options = Options.with(options, Map.of("languages", List.of()));
        options = Options.with(options, Map.of("weighting", VoteOptions.Weighting.DAWID_SKENE));
        assertThat(votes(options, lines)).allMatch(vote -> vote.scores() != null);
        VoteOptions reliable = options;
        assertThatThrownBy(() -> Options.with(reliable, Map.of("vote_by", VoteOptions.VoteBy.LANGUAGE)))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("dawid-skene");
    }

    /** A control: labels by chance, the same for the same question whatever was sampled. */
    @Test
    void aRandomVoteKnowsNothing() {
        VoteOptions options = Options.make(VoteOptions.class, Map.of("vote_by", VoteOptions.VoteBy.RANDOM));
        Samples[] lines = new Samples[400];
        Arrays.setAll(lines, i -> line("q" + i, "en", "A", "A", "A"));
        List<Vote> votes = votes(options, lines);
        assertThat(votes.stream().filter(vote -> vote.answer().equals("A")).count())
                .isBetween(150L, 250L);
        Arrays.setAll(lines, i -> line("q" + i, "en", "A", "B", null));
        assertThat(votes(options, lines))
                .extracting(Vote::answer)
                .isEqualTo(votes.stream().map(Vote::answer).toList());
        assertThatThrownBy(() -> Options.with(options, Map.of("weighting", VoteOptions.Weighting.PROBABILITY)))
                .hasMessageContaining("voteBy random");
    }

    @Test
    void summaryComparesWithTheTruth() {
        votes(
                Options.standard(VoteOptions.class),
                labelled("1", "en", "A", "A", "A"),
                labelled("1", "fr", "A", "A", "B"),
                labelled("2", "en", "B", "A", null),
                labelled("2", "fr", "B", "B", "B"),
                labelled("3", "en", "A", "B"),
                labelled("3", "fr", "A", "A"));
        assertThat(summary.accuracy()).isEqualTo(2 / 3.0);
        assertThat(summary.graded()).isEqualTo(3);
        assertThat(summary.ties()).isEqualTo(1);
        assertThat(summary.majority().alone()).isEqualTo(Map.of("en", 1 / 3.0, "fr", 2 / 3.0));
        assertThat(summary.majority().without()).isEqualTo(Map.of("fr", 1 / 3.0, "en", 2 / 3.0));
        assertThat(summary.consistency()).isEqualTo(0);
        assertThat(summary.languages().get("en")).isEqualTo(new VoteSummary.LanguageSamples(3, 5, 4));
        assertThat(summary.text())
                .contains("3 questions: 2 with a winner, 1 tied, 0 without an answer")
                .contains("the vote 66.7 %")
                .contains("alone en 33.3, fr 66.7")
                .contains("Dawid-Skene");
    }

    @Test
    void chosenAgreesWithTheVoteAndRejectedDoesNot() {
        List<Pair> pairs = pairs(
                line("1", "en", "A", "B", "A", "A"),
                line("1", "fr", "B", "B"),
                line("2", "en", "A", "A"),
                line("2", "fr", "A", null));
        // Vote 1 is a tie of three to three.
        assertThat(pairs).hasSize(1);
        Pair pair = pairs.getFirst();
        assertThat(pair.id()).isEqualTo("2");
        assertThat(pair.language()).isEqualTo("fr");
        assertThat(pair.prompt()).isEqualTo("where 2 east,west ?");
        assertThat(pair.chosen()).isEqualTo("direction : east");
        assertThat(pair.rejected()).isEqualTo("who knows");
        assertThat(pair.rejectedAnswer()).isNull();
        assertThat(pair.chosenSource()).isEqualTo("sampled");
    }

    @Test
    void whatALanguageNeverSaidIsMadeFromItsOwnWords() {
        List<Pair> pairs = pairs(line("1", "en", "A", "A", "A"), line("1", "fr", "B", "B"));
        assertThat(pairs).hasSize(1);
        assertThat(pairs.getFirst().chosen()).isEqualTo("direction : east");
        assertThat(pairs.getFirst().rejected()).isEqualTo("direction : west");
        assertThat(pairs.getFirst().chosenSource()).isEqualTo("template");
    }

    private PairCounts counts;

    private List<Pair> pairs(PairOptions options, Translator translator, Samples... lines) {
        votes(Options.standard(VoteOptions.class), lines);
        counts = new PairsStage(
                        List.of(folder.resolve("samples.jsonl")),
                        folder.resolve("votes.jsonl"),
                        PROMPTS,
                        folder.resolve("pairs.jsonl"),
                        options,
                        translator,
                        5)
                .run();
        return options.twoLanguages() || options.format() != PairOptions.Format.CALM
                ? List.of()
                : Jsonl.read(folder.resolve("pairs.jsonl"), Pair.class);
    }

    private static Samples responses(String id, String language, String... answersAndTexts) {
        return new Samples(
                new Question(id, language, "where " + id, THREE, null, null, null),
                null,
                null,
                Arrays.stream(answersAndTexts)
                        .map(each -> new Samples.Response(
                                each.substring(2),
                                each.charAt(0) == '-' ? null : each.substring(0, 1),
                                (double) -each.length(),
                                1 + each.length() % 3))
                        .toList());
    }

    private static final List<Choice> THREE =
            List.of(new Choice("A", "east"), new Choice("B", "west"), new Choice("C", "north"));
    private static final Samples EN = responses(
            "1",
            "en",
            "A short A",
            "A long and winding A",
            "A long and winding A",
            "B one B",
            "B other B",
            "C it is C",
            "- none");

    @Test
    void policiesSayWhichComesFirst() {
        // The higher log-probability per token is the long one's, that of the whole the short one's.
        Map<PairOptions.Policy, String> chosen = Map.of(
                PairOptions.Policy.FREQUENT,
                "long and winding A",
                PairOptions.Policy.FIRST,
                "short A",
                PairOptions.Policy.SHORTEST,
                "short A",
                PairOptions.Policy.LONGEST,
                "long and winding A",
                PairOptions.Policy.LOGPROB,
                "long and winding A");
        chosen.forEach((policy, expected) -> {
            PairOptions options = Options.make(PairOptions.class, Map.of("chosen", policy));
            assertThat(pairs(options, null, EN))
                    .extracting(Pair::chosen)
                    .as("%s", policy)
                    .containsExactly(expected);
        });
        Map<PairOptions.Policy, String> rejected = Map.of(
                PairOptions.Policy.MOST_VOTED,
                "one B",
                PairOptions.Policy.LEAST_VOTED,
                "it is C",
                PairOptions.Policy.SHORTEST,
                "none",
                PairOptions.Policy.LONGEST,
                "other B");
        rejected.forEach((policy, expected) -> {
            PairOptions options = Options.make(PairOptions.class, Map.of("rejected", policy));
            assertThat(pairs(options, null, EN))
                    .extracting(Pair::rejected)
                    .as("%s", policy)
                    .containsExactly(expected);
        });
        PairOptions random =
                Options.make(PairOptions.class, Map.of("rejected", PairOptions.Policy.RANDOM, "pairs_per_question", 9));
        List<Pair> drawn = pairs(random, null, EN);
        assertThat(drawn).hasSize(4).isEqualTo(pairs(random, null, EN));
        assertThat(drawn).extracting(Pair::rejected).containsExactlyInAnyOrder("one B", "other B", "it is C", "none");
        assertThatThrownBy(() -> Options.with(random, Map.of("chosen", PairOptions.Policy.MOST_VOTED)))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("chosen most-voted");
    }

    /** Of six answers three are A, two B and one is C. */
    @Test
    void pairsWeighTheMarginOfTheVote() {
        PairOptions options = Options.make(PairOptions.class, Map.of("margin_weights", true));
        options = Options.with(options, Map.of("pairs_per_question", 9));
        assertThat(pairs(options, null, EN))
                .extracting(Pair::rejected)
                .containsExactly("one B", "other B", "it is C", "none");
        assertThat(pairs(options, null, EN))
                .extracting(Pair::weight)
                .usingElementComparator((a, b) -> Math.abs(a - b) < 1e-12 ? 0 : 1)
                .containsExactly(1 / 6.0, 1 / 6.0, 2 / 6.0, 3 / 6.0);
    }

    @Test
    void theSameTextsMakeOnePair() {
        Samples again = new Samples(
                new Question("2", "en", EN.asked().question(), THREE, null, null, null), null, null, EN.responses());
        pairs(Options.standard(PairOptions.class), null, EN, again);
        assertThat(counts.pairs()).isEqualTo(1);
        assertThat(counts.skipped()).isEqualTo(Map.of("a question before has the same pair", 1));
    }

    /** French never said A: what English said is translated, and only what is French and still says A counts. */
    @Test
    void whatALanguageNeverSaidIsTranslated() {
        Samples english = responses("1", "en", "A The answer is A", "A The answer is A", "A The answer is A");
        Samples french = responses("1", "fr", "B La réponse est B", "B La réponse est B");
        Map<String, String> translations = new LinkedHashMap<>();
        Translator translator = requests -> requests.stream()
                .map(request -> {
                    assertThat(request.source() + request.target()).isEqualTo("enfr");
                    return translations.get(request.text());
                })
                .toList();
        assertThat(pairs(Options.standard(PairOptions.class), translator, english, french))
                .isEmpty();
        assertThat(counts.skipped())
                .isEqualTo(Map.of("all agree", 1, "no response agrees, no translation keeps the answer", 1));
        translations.put("The answer is A", "La réponse est B");
        assertThat(pairs(Options.standard(PairOptions.class), translator, english, french))
                .isEmpty();
        translations.put("The answer is A", "Well, this is that it is not what you think. La réponse est A");
        assertThat(pairs(Options.standard(PairOptions.class), translator, english, french))
                .isEmpty();
        translations.put("The answer is A", "La réponse est A");
        Pair pair = pairs(Options.standard(PairOptions.class), translator, english, french)
                .getFirst();
        assertThat(pair.chosen()).isEqualTo("La réponse est A");
        assertThat(pair.rejected()).isEqualTo("La réponse est B");
        assertThat(pair.chosenSource()).isEqualTo("translated");
        PairOptions sampled =
                Options.make(PairOptions.class, Map.of("chosen_sources", List.of(PairOptions.Source.SAMPLED)));
        assertThat(pairs(sampled, translator, english, french)).isEmpty();
        assertThat(counts.skipped()).containsEntry("no response agrees", 1);
        sampled = Options.with(sampled, Map.of("chosen_sources", List.of(PairOptions.Source.OPTION)));
        assertThat(pairs(sampled, translator, english, french))
                .extracting(Pair::chosen)
                .containsExactly("east");
    }

    /** One rule for both sides: what is too foreign to be chosen is not rejected either, and what was left out is counted. */
    @Test
    void aResponseInAnotherLanguageIsNeitherChosenNorRejected() {
        String foreign = "The answer is %s because that is what the text says";
        Samples english = responses("1", "en", "A it is A", "A it is A");
        Samples french = responses("1", "fr", "A " + foreign.formatted("A"), "B La réponse est B");
        assertThat(pairs(Options.standard(PairOptions.class), null, english, french))
                .isEmpty();
        assertThat(counts.languages().get("fr").dropped()).isEqualTo(Map.of("agrees, in another language", 1));
        assertThat(counts.languages().get("fr").skipped())
                .isEqualTo(Map.of("only responses in another language agree", 1));
        Samples rejected = responses("1", "fr", "A La réponse est A", "B " + foreign.formatted("B"));
        assertThat(pairs(Options.standard(PairOptions.class), null, english, rejected))
                .isEmpty();
        assertThat(counts.languages().get("fr").dropped()).isEqualTo(Map.of("differs, in another language", 1));
        assertThat(counts.languages().get("fr").skipped())
                .isEqualTo(Map.of("only responses in another language differ", 1));
        assertThat(counts.languages().get("fr").offLanguage()).isEqualTo(1);
        assertThat(counts.responses()).isEqualTo(4);
        assertThat(counts.warning()).contains("25.0 %").contains("differs, in another language=1");
        assertThat(counts.text()).contains("1 of 4 responses left out {differs, in another language=1}");
        // A response that is left out does not lend its words to a template either.
        Samples template = responses("1", "fr", "B Well, this is the one that is in the west", "C Direction : nord");
        assertThat(pairs(Options.standard(PairOptions.class), null, english, template))
                .isEmpty();
        PairOptions options = Options.make(PairOptions.class, Map.of("keep_off_language", true));
        assertThat(pairs(options, null, english, french)).hasSize(1);
        assertThat(pairs(options, null, english, rejected)).hasSize(1);
        assertThat(counts.dropped()).isEmpty();
        assertThat(counts.warning()).isNull();
    }

    /** What CALM lives on: a language asks another one on the way to its answer. */
    @Test
    void aDetourThroughAnotherLanguageIsChosenAndRejectedAlike() {
        String detour = "The region of this place is what the book says that it is in the list. La réponse est %s";
        Samples english = responses("1", "en", "A it is A", "A it is A");
        Pair chosen = pairs(
                        Options.standard(PairOptions.class),
                        null,
                        english,
                        responses("1", "fr", "A " + detour.formatted("A"), "B c’est B"))
                .getFirst();
        assertThat(chosen.chosen()).isEqualTo(detour.formatted("A"));
        Pair rejected = pairs(
                        Options.standard(PairOptions.class),
                        null,
                        english,
                        responses("1", "fr", "B " + detour.formatted("B"), "A c’est A"))
                .getFirst();
        assertThat(rejected.rejected()).isEqualTo(detour.formatted("B"));
        assertThat(counts.dropped()).isEmpty();
    }

    /** Every question in every language is a pair or has its reason. */
    @Test
    void nothingIsLost() {
        Samples[] lines = {
            EN,
            responses("1", "fr", "- rien", "B c’est B"),
            responses("2", "en", "A A", "B B"),
            responses("2", "fr"),
            responses("3", "fr", "A A", "A A"),
            responses("4", "en", "- "),
            responses("4", "fr", "A c’est A", "C c’est C", "A c’est A")
        };
        for (int most : new int[] {1, 3}) {
            PairOptions options = Options.make(PairOptions.class, Map.of("pairs_per_question", most));
            pairs(options, null, lines);
            assertThat(counts.languages().get("en").questions()).isEqualTo(3);
            assertThat(counts.languages().get("fr").questions()).isEqualTo(4);
            counts.languages().values().forEach(own -> assertThat(own.withPair()
                            + own.skipped().values().stream()
                                    .mapToInt(Integer::intValue)
                                    .sum())
                    .isEqualTo(own.questions()));
        }
    }

    @Test
    void twoLanguagesHaveTheSameAnswers() {
        PairOptions options = Options.make(PairOptions.class, Map.of("two_languages", true));
        options = Options.with(options, Map.of("margin_weights", true));
        Samples french = responses("1", "fr", "A c’est A", "C c’est C");
        pairs(options, null, EN, french, responses("2", "en", "A so A", "A so A"), responses("2", "fr", "B alors B"));
        assertThat(counts.pairs()).isEqualTo(1);
        assertThat(counts.languages().get("en+fr").skipped()).isEqualTo(Map.of("the vote is not stated in both", 1));
        TwoLanguagePair pair =
                Jsonl.read(folder.resolve("pairs.jsonl"), TwoLanguagePair.class).getFirst();
        // B has as many votes, but French never said it.
        assertThat(pair)
                .isEqualTo(new TwoLanguagePair(
                        "1",
                        "en",
                        "where 1 east,west,north ?",
                        "long and winding A",
                        "it is C",
                        "fr",
                        "where 1 east,west,north ?",
                        "c’est A",
                        "c’est C",
                        "A",
                        "C",
                        0.25,
                        null,
                        null));
        options = Options.with(options, Map.of("chosen_sources", List.of(PairOptions.Source.OPTION)));
        options = Options.with(options, Map.of("pairs_per_question", 2));
        pairs(options, null, EN, french);
        assertThat(Jsonl.read(folder.resolve("pairs.jsonl"), TwoLanguagePair.class))
                .extracting(TwoLanguagePair::rejected2)
                .containsExactly("west", "north");
    }

    @Test
    void otherProgramsReadThePairs() {
        PairOptions options = Options.make(PairOptions.class, Map.of("format", PairOptions.Format.TRL));
        pairs(options, null, EN);
        assertThat(Jsonl.readMaps(folder.resolve("pairs.jsonl")))
                .containsExactly(Map.of(
                        "prompt", "where 1 east,west,north ?", "chosen", "long and winding A", "rejected", "one B"));
        options = Options.with(options, Map.of("format", PairOptions.Format.LLAMA_FACTORY));
        pairs(options, null, EN);
        JsonNode list = Json.read(folder.resolve("pairs.jsonl"), JsonNode.class);
        assertThat(list.toString())
                .isEqualTo(
                        "[{\"instruction\":\"where 1 east,west,north ?\",\"input\":\"\",\"chosen\":\"long and winding A\","
                                + "\"rejected\":\"one B\"}]");
        JsonNode info = Json.read(folder.resolve("pairs.dataset_info.json"), JsonNode.class)
                .path("pairs");
        assertThat(info.path("ranking").asBoolean()).isTrue();
        assertThat(info.path("file_name").asText()).isEqualTo("pairs.jsonl");
        assertThat(info.path("columns").path("query").asText()).isEqualTo("input");
    }

    @Test
    void twoLinesForOneQuestionAreAnError() {
        assertThatThrownBy(() -> pairs(line("1", "en", "A"), line("1", "en", "B")))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("samples.jsonl:2");
    }

    private List<Vote> votes(VoteOptions options, Samples... lines) {
        Path samples = folder.resolve("samples.jsonl");
        Jsonl.write(samples, Arrays.asList(lines));
        summary = new VoteStage(List.of(samples), folder.resolve("votes.jsonl"), options).run();
        return Jsonl.read(folder.resolve("votes.jsonl"), Vote.class);
    }

    private List<Pair> pairs(Samples... lines) {
        votes(Options.standard(VoteOptions.class), lines);
        new PairsStage(
                        List.of(folder.resolve("samples.jsonl")),
                        folder.resolve("votes.jsonl"),
                        PROMPTS,
                        folder.resolve("pairs.jsonl"),
                        Options.standard(PairOptions.class),
                        null,
                        0)
                .run();
        return Jsonl.read(folder.resolve("pairs.jsonl"), Pair.class);
    }

    private static Samples labelled(String id, String language, String truth, String... answers) {
        Samples line = line(id, language, answers);
        return new Samples(
                new Question(id, language, line.asked().question(), CHOICES, truth, null, null),
                null,
                null,
                line.responses());
    }

    private static Samples line(String id, String language, String... answers) {
        return new Samples(
                new Question(id, language, "where " + id, CHOICES, null, null, null),
                null,
                null,
                Arrays.stream(answers)
                        .map(answer -> new Samples.Response(
                                answer == null
                                        ? "who knows"
                                        : (language.equals("en") ? "it is in the " : "direction : ")
                                                + (answer.equals("A") ? "east" : "west"),
                                answer,
                                -1.0,
                                4))
                        .toList());
    }
}
