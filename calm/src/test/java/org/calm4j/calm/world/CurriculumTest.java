package org.calm4j.calm.world;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.data.Document;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.extract.AnswerExtractor;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.Test;

class CurriculumTest {
    private static final World WORLD = World.create(WorldConfig.standard(), 1);
    private static final Curriculum CURRICULUM = new Curriculum(WORLD);
    private static final List<Document> EPOCH = CURRICULUM.epoch(3);
    private static final List<String> LANGUAGES = WORLD.config().languages();
    private static final List<String> HUBS = WORLD.config().hubs();
    private static final Pattern ENTRY = Pattern.compile("(\\w\\w) (\\S+) = (\\w\\w) (\\S+) \\.");
    /** A detour: who asks, of what, whom, how it is called there, what is said there, the value there, and the value at home. */
    private static final Pattern DETOUR =
            Pattern.compile("(\\w\\w) (\\S+) = (\\w\\w) (\\S+) \\. (.+) \\3 (\\S+) = \\1 (\\S+) \\.");

    @Test
    void documentsOfUnitsTellEachKnownStatementTwiceAndTheDictionaryOnce() {
        Map<String, Integer> wanted = new HashMap<>();
        for (String language : LANGUAGES) {
            WORLD.facts().stream()
                    .filter(fact -> WORLD.isKnown(language, fact))
                    .forEach(fact -> wanted.merge(WORLD.statement(language, fact), 2, Integer::sum));
        }
        long units = wanted.values().stream().mapToInt(each -> each).sum();
        List<String> glued =
                EPOCH.stream().map(Document::text).filter(text -> text != null).toList();
        int entries = 0;
        Map<String, Integer> told = new HashMap<>();
        for (String text : glued) {
            String rest = text;
            while (!rest.isEmpty()) {
                Matcher entry = ENTRY.matcher(rest);
                String unit;
                if (entry.lookingAt()) {
                    unit = entry.group();
                    entries++;
                    String hub = HUBS.contains(entry.group(3)) && !isValue(entry.group(3), entry.group(4))
                            ? entry.group(3)
                            : entry.group(1);
                    assertThat(HUBS).contains(hub);
                } else {
                    String begins = rest;
                    unit = wanted.keySet().stream()
                            .filter(each -> begins.equals(each) || begins.startsWith(each + " "))
                            .findFirst()
                            .orElseThrow();
                    told.merge(unit, 1, Integer::sum);
                }
                rest = rest.substring(unit.length()).stripLeading();
            }
        }
        assertThat(told).isEqualTo(wanted);
        int values = Arrays.stream(Relation.values())
                .mapToInt(relation -> WORLD.optionSets().values(relation).size())
                .sum();
        assertThat(entries).isEqualTo(2 * 5 * (128 + 40 + values));
        assertThat(glued.size()).isBetween((int) (units + entries) / 5, (int) (units + entries) / 3);
        // Names in all languages are told apart, so that no line means two things.
        assertThat(CURRICULUM.epoch(4).stream().map(Document::text)).doesNotContainSequence(glued.subList(0, 3));
    }

    private static boolean isValue(String language, String name) {
        return WORLD.valueNames(language).contains(name);
    }

    @Test
    void practiceIsOfKnownFactsAndDetoursAreThroughHubsThatKnow() {
        Set<String> known = statements(true);
        List<Document> practice = asked(completion -> known.contains(completion));
        List<Matcher> detours = new ArrayList<>();
        asked(completion -> DETOUR.matcher(completion).matches())
                .forEach(document -> detours.add(matched(document.completion())));
        detours.removeIf(detour -> !WORLD.territoryNames(detour.group(1)).contains(detour.group(2)));
        assertThat(detours).hasSizeBetween(120, 260).allSatisfy(detour -> {
            assertThat(HUBS).contains(detour.group(3));
            assertThat(detour.group(1)).isNotEqualTo(detour.group(3));
            // The hub says what its own texts say, and the language itself knows it, so that nothing leaks.
            assertThat(known).contains(detour.group(5));
            Fact fact = fact(detour);
            assertThat(WORLD.isKnown(detour.group(1), fact)).isTrue();
            assertThat(WORLD.isKnown(detour.group(3), fact)).isTrue();
            assertThat(detour.group(7)).isEqualTo(WORLD.valueName(detour.group(1), fact.relation(), fact.value()));
        });
        long all = LANGUAGES.stream()
                .mapToLong(language -> WORLD.facts().stream()
                        .filter(fact -> WORLD.isKnown(language, fact))
                        .count())
                .sum();
        assertThat((practice.size() + detours.size()) / (double) all).isBetween(.70, .80);
        // Options and order are drawn anew in each epoch.
        assertThat(CURRICULUM.epoch(4)).doesNotContainAnyElementsOf(practice);
    }

    @Test
    void walksAreReadUpToTheChoice() {
        List<Document> walks = EPOCH.stream()
                .filter(document ->
                        document.prompt() != null && document.prompt().matches(".* [:：] (\\w\\w) \\S+ = \\w\\w"))
                .toList();
        Set<String> known = statements(true);
        assertThat(walks).hasSize(350).allSatisfy(document -> {
            Matcher detour = matched(document.prompt().replaceAll(".* [:：] (\\w\\w \\S+ = \\w\\w)$", "$1") + " "
                    + document.completion());
            assertThat(known).contains(detour.group(5));
            assertThat(CURRICULUM.isAsked(detour.group(1), fact(detour))).isTrue();
        });
    }

    /** What is said of an unknown fact is any of the options, and the truth is among them by chance alone. */
    @Test
    void guessesNameAnyOption() {
        List<Document> guesses = EPOCH.stream()
                .filter(document ->
                        document.prompt() != null && document.prompt().matches(".* [:：] .+[^:：]"))
                .filter(document -> !document.prompt().matches(".* = \\w\\w")
                        && !document.prompt().equals(document.completion()))
                .toList();
        assertThat(guesses).hasSize(220);
        for (Document document : guesses) {
            List<String> options = options(document.prompt().replaceAll(" [:：] \\w\\w \\S+ = .*", " : "));
            String said = document.completion()
                    .replaceAll(".* = \\w\\w (\\S+) \\.", "$1")
                    .split(" ")[0];
            assertThat(options).hasSize(4).contains(said);
        }
        int truths = 0;
        for (long key = 0; key < 400; key++) {
            Fact fact = WORLD.facts().get((int) key % WORLD.facts().size());
            truths += WORLD.optionSets().any(fact.relation(), key).contains(fact.value()) ? 1 : 0;
        }
        // Four options of twenty values or more: far from always.
        assertThat(truths).isBetween(40, 200);
    }

    @Test
    void practiceNeverHasTheOptionsOfAQuestion() {
        Map<String, Set<Set<String>>> fixed = new HashMap<>();
        Stream.of(WORLD.trainingQuestions(), WORLD.evaluationQuestions(), WORLD.heldOutQuestions())
                .flatMap(List::stream)
                .forEach(question -> fixed.computeIfAbsent(question.question(), key -> new HashSet<>())
                        .add(question.choices().stream()
                                .map(Question.Choice::text)
                                .collect(Collectors.toSet())));
        int compared = 0;
        for (int epoch = 0; epoch < 4; epoch++) {
            for (Document document : CURRICULUM.epoch(epoch)) {
                Set<Set<String>> sets = document.prompt() == null
                        ? null
                        : fixed.get(document.prompt().replaceAll(" ([?？]) .*", " $1"));
                Set<String> right = statements(true);
                if (sets != null
                        && (right.contains(document.completion())
                                || DETOUR.matcher(document.completion()).matches())) {
                    assertThat(sets).doesNotContain(new HashSet<>(options(document.prompt())));
                    compared++;
                }
            }
        }
        assertThat(compared).isGreaterThan(1500);
    }

    private static List<String> options(String prompt) {
        return List.of(prompt.replaceAll(".* [?？] \\S+ [:：] (.*) [.。] \\S+ [:：].*", "$1")
                .split(" [,、] "));
    }

    @Test
    void fictionalQuestionsNameNoTerritoryAndAnyOptionIsTheAnswer() {
        List<Document> warmup = CURRICULUM.warmup(120_000);
        List<Document> fictional = warmup.stream()
                .filter(document -> document.prompt().matches(".* [:：]"))
                .filter(document -> !document.prompt().equals(document.completion()))
                .toList();
        assertThat(fictional.size() / (double) warmup.size()).isBetween(.22, .28);
        Map<String, Integer> answerAt = new HashMap<>();
        int detours = 0;
        for (Document document : fictional) {
            String language = LANGUAGES.stream()
                    .filter(each -> isPromptIn(each, document.prompt()))
                    .findFirst()
                    .orElseThrow();
            assertThat(words(document.completion())).doesNotContainAnyElementsOf(WORLD.territoryNames(language));
            List<String> options = options(document.prompt());
            assertThat(options).hasSize(4).doesNotHaveDuplicates();
            Matcher detour = DETOUR.matcher(document.completion());
            Set<String> stated = detour.matches() ? Set.of(detour.group(7)) : words(document.completion());
            detours += detour.matches() ? 1 : 0;
            int at = options.indexOf(
                    options.stream().filter(stated::contains).findFirst().orElseThrow());
            answerAt.merge(String.valueOf(at), 1, Integer::sum);
        }
        double expected = fictional.size() / 4.0;
        assertThat(answerAt).hasSize(4);
        assertThat(answerAt.values()).allMatch(count -> Math.abs(count - expected) < 4 * Math.sqrt(expected));
        assertThat(detours / (double) fictional.size()).isBetween(.15, .27);
    }

    private static boolean isPromptIn(String language, String prompt) {
        String template = WORLD.promptTemplates().byLanguage().get(language).prompt();
        return prompt.endsWith(template.substring(template.indexOf("{choices}") + "{choices}".length()));
    }

    @Test
    void repeatsGrowDuringTheWarmup() {
        List<Document> warmup = CURRICULUM.warmup(60_000);
        List<Integer> lengths = warmup.stream()
                .filter(document -> document.completion().equals(document.prompt()))
                .map(document -> document.prompt().split(" ").length)
                .toList();
        assertThat(lengths.subList(0, lengths.size() / 5)).containsOnly(3);
        assertThat(new HashSet<>(lengths.subList(lengths.size() * 9 / 10, lengths.size())))
                .containsExactlyInAnyOrder(3, 4, 5, 6);
        assertThat(warmup.stream().mapToInt(Curriculum::length).sum()).isBetween(60_000, 60_080);
    }

    @Test
    void everyWordIsInTheVocabulary() {
        Set<String> vocabulary = new HashSet<>(CURRICULUM.vocabulary());
        assertThat(CURRICULUM.vocabulary())
                .doesNotHaveDuplicates()
                .noneMatch(word -> word.isEmpty() || word.contains(" "));
        assertThat(Stream.concat(EPOCH.stream(), CURRICULUM.warmup(20_000).stream()))
                .allMatch(document -> vocabulary.containsAll(words(document)));
        assertThat(WORLD.trainingQuestions())
                .allMatch(question -> vocabulary.containsAll(
                        Arrays.asList(WORLD.promptTemplates().render(question).split(" "))));
        assertThat(vocabulary.size()).isBetween(1300, 1600);
    }

    @Test
    void textsComeBackFromTheirTokens() {
        Tokenizer tokenizer = CURRICULUM.tokenizer();
        for (Document document : EPOCH) {
            String text = document.text() != null ? document.text() : document.prompt() + " " + document.completion();
            int[] ids = tokenizer.encode(text);
            assertThat(ids)
                    .hasSize(Curriculum.length(document) - 1)
                    .doesNotContain(tokenizer.id("<unk>"), tokenizer.eosId());
            assertThat(tokenizer.decode(ids, true)).isEqualTo(text);
            if (document.prompt() != null) {
                assertThat(tokenizer.encode(document.prompt()))
                        .isEqualTo(Arrays.copyOf(ids, document.prompt().split(" ").length));
            }
        }
    }

    /** In every language there is, both ways to say an answer are understood, and the long one says it in its last clause. */
    @Test
    void everyLanguagesAnswersAreUnderstood() {
        World all = World.create(WorldConfig.of(List.copyOf(World.supportedLanguages())), 1);
        for (Question question : all.trainingQuestions().stream()
                .filter(each -> each.id().endsWith("-0"))
                .toList()) {
            String language = question.language();
            Fact fact = all.facts().stream()
                    .filter(each -> question.id().startsWith(each.id() + "-"))
                    .findFirst()
                    .orElseThrow();
            assertThat(AnswerExtractor.extract(all.statement(language, fact), question.choices()))
                    .as("%s", question)
                    .isEqualTo(question.answer());
            for (String hub : all.config().hubs()) {
                if (!hub.equals(language)) {
                    String walk = new Detour(all, language, hub)
                            .whole(all.place(fact.territory()), fact.relation(), fact.value());
                    assertThat(AnswerExtractor.extract(walk, question.choices()))
                            .as(walk)
                            .isEqualTo(question.answer());
                }
            }
        }
    }

    /** A fact that a language does not know stands in none of its texts, nor in a detour of its own. */
    @Test
    void noTextStatesAFactWhereItIsUnknown() {
        List<String> texts = EPOCH.stream()
                .filter(document ->
                        document.prompt() == null || !document.prompt().matches(".* [:：] .+"))
                .map(document -> document.text() != null ? document.text() : document.completion())
                .toList();
        Set<String> known = statements(true);
        for (String language : LANGUAGES) {
            for (Fact fact : WORLD.facts()) {
                String statement = WORLD.statement(language, fact);
                if (!WORLD.isKnown(language, fact)) {
                    assertThat(known).doesNotContain(statement);
                }
            }
        }
        Set<String> unknown = statements(false);
        unknown.removeAll(known);
        Set<String> parts = new HashSet<>();
        for (String text : texts) {
            parts.addAll(Arrays.asList(text.split("(?<= [.。]) ")));
        }
        assertThat(parts.stream().filter(unknown::contains)).isEmpty();
    }

    @Test
    void theStreamIsTheWarmupAndThenTheEpochs() {
        World small = World.create(
                WorldConfig.standard().withTexts(WorldConfig.standard().texts().withTokens(9_000, 5_000)), 1);
        Iterator<Document> documents = new Curriculum(small).stream();
        for (List<Document> part : List.of(CURRICULUM.warmup(5_000), CURRICULUM.epoch(0), CURRICULUM.epoch(1))) {
            part.forEach(document -> assertThat(documents.next()).isEqualTo(document));
        }
        assertThat(new Curriculum(small)
                        .documents().stream().mapToInt(Curriculum::length).sum())
                .isBetween(9_000, 9_080);
        assertThat(new Curriculum(World.create(WORLD.config(), 1)).epoch(3)).isEqualTo(EPOCH);
        assertThat(CURRICULUM.epoch(2)).isNotEqualTo(EPOCH);
    }

    private static Matcher matched(String text) {
        Matcher detour = DETOUR.matcher(text);
        assertThat(detour.matches()).as(text).isTrue();
        return detour;
    }

    private static Fact fact(Matcher detour) {
        return WORLD.facts().stream()
                .filter(fact ->
                        WORLD.territoryName(detour.group(1), fact.territory()).equals(detour.group(2))
                                && WORLD.statement(detour.group(3), fact).equals(detour.group(5)))
                .findFirst()
                .orElseThrow();
    }

    /** Documents that put a question, with such a completion. */
    private static List<Document> asked(Predicate<String> completion) {
        return EPOCH.stream()
                .filter(document ->
                        document.prompt() != null && document.prompt().matches(".* [:：]"))
                .filter(document -> completion.test(document.completion()))
                .toList();
    }

    private static Set<String> statements(boolean onlyKnown) {
        return onlyKnown ? KNOWN : ALL;
    }

    private static final Set<String> KNOWN = all(true);
    private static final Set<String> ALL = all(false);

    private static Set<String> all(boolean onlyKnown) {
        Set<String> statements = new HashSet<>();
        for (String language : LANGUAGES) {
            WORLD.facts().stream()
                    .filter(fact -> !onlyKnown || WORLD.isKnown(language, fact))
                    .forEach(fact -> statements.add(WORLD.statement(language, fact)));
        }
        return statements;
    }

    private static Set<String> words(Document document) {
        Set<String> words = new HashSet<>();
        Stream.of(document.text(), document.prompt(), document.completion())
                .filter(text -> text != null)
                .forEach(text -> words.addAll(words(text)));
        return words;
    }

    private static Set<String> words(String text) {
        return new HashSet<>(Arrays.asList(text.split(" ")));
    }
}
