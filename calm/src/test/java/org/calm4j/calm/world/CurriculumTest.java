package org.calm4j.calm.world;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.data.Document;
import org.calm4j.calm.data.Question;
import org.calm4j.engine.text.Tokenizer;
import org.junit.jupiter.api.Test;

class CurriculumTest {
    private static final World WORLD = World.create(WorldConfig.of(WorldConfig.DEFAULT_LANGUAGES, 1));
    private static final Curriculum CURRICULUM = new Curriculum(WORLD, CurriculumConfig.DEFAULT);
    private static final List<Document> EPOCH = CURRICULUM.epoch(3);

    @Test
    void anEpochTellsEachKnownStatementTwiceAndNoOther() {
        Map<String, Long> told = EPOCH.stream().filter(document -> document.text() != null)
                .collect(Collectors.groupingBy(Document::text, Collectors.counting()));
        Map<String, Long> known = new HashMap<>();
        for (String language : WORLD.config().languages()) {
            WORLD.facts().stream().filter(fact -> WORLD.isKnown(language, fact))
                    .forEach(fact -> known.merge(WORLD.statement(language, fact), 2L, Long::sum));
        }
        assertThat(told).isEqualTo(known);
    }

    @Test
    void anEpochAsksSixOfTenKnownFactsAndNeverOthers() {
        Set<String> statements = statements(false);
        List<Document> practice = EPOCH.stream().filter(document -> document.prompt() != null && statements.contains(document.completion()))
                .filter(document -> document.prompt().contains(" ： ") || document.prompt().contains(" : ")).toList();
        Set<String> known = statements(true);
        assertThat(practice).allMatch(document -> known.contains(document.completion())).doesNotHaveDuplicates();
        assertThat(practice.size() / (double) known.size()).isBetween(.54, .66);
        // Options and order are drawn anew in each epoch.
        assertThat(CURRICULUM.epoch(4)).doesNotContainAnyElementsOf(practice);
    }

    @Test
    void practiceNeverHasTheOptionsOfAQuestion() {
        Map<String, Set<Set<String>>> fixed = new HashMap<>();
        Stream.of(WORLD.trainingQuestions(), WORLD.evaluationQuestions(), WORLD.heldOutQuestions()).flatMap(List::stream)
                .forEach(question -> fixed.computeIfAbsent(question.question(), key -> new HashSet<>()).add(words(question)));
        int compared = 0;
        for (int epoch = 0; epoch < 8; epoch++) {
            for (Document document : CURRICULUM.epoch(epoch)) {
                Set<Set<String>> sets = document.prompt() == null ? null : fixed.get(document.prompt().replaceAll(" ([?？]) .*", " $1"));
                if (sets != null) {
                    assertThat(sets).doesNotContain(words(document.prompt().replaceAll(".* [?？] ", "")));
                    compared++;
                }
            }
        }
        assertThat(compared).isGreaterThan(2000);
    }

    @Test
    void fictionalQuestionsNameNoTerritoryAndAnyOptionIsTheAnswer() {
        List<Document> warmup = CURRICULUM.warmup(120_000);
        List<Document> fictional = warmup.stream().filter(document -> document.prompt().matches(".* [:：]"))
                .filter(document -> !document.prompt().equals(document.completion())).toList();
        assertThat(fictional.size() / (double) warmup.size()).isBetween(.22, .28);
        Map<String, Integer> answerAt = new HashMap<>();
        for (Document document : fictional) {
            String language = WORLD.config().languages().stream().filter(each -> isPromptIn(each, document.prompt())).findFirst().orElseThrow();
            assertThat(words(document.completion())).doesNotContainAnyElementsOf(WORLD.territoryNames(language));
            List<String> options = List.of(document.prompt().replaceAll(".* [?？] \\S+ [:：] (.*) [.。] .*", "$1").split(" [,、] "));
            assertThat(options).hasSize(4).doesNotHaveDuplicates();
            Set<String> stated = words(document.completion());
            int at = options.indexOf(options.stream().filter(stated::contains).findFirst().orElseThrow());
            answerAt.merge(String.valueOf(at), 1, Integer::sum);
        }
        double expected = fictional.size() / 4.0;
        assertThat(answerAt).hasSize(4);
        assertThat(answerAt.values()).allMatch(count -> Math.abs(count - expected) < 4 * Math.sqrt(expected));
    }

    private static boolean isPromptIn(String language, String prompt) {
        String template = WORLD.promptTemplates().byLanguage().get(language).prompt();
        return prompt.endsWith(template.substring(template.indexOf("{choices}") + "{choices}".length()));
    }

    @Test
    void repeatsGrowDuringTheWarmup() {
        List<Document> warmup = CURRICULUM.warmup(60_000);
        List<Integer> lengths = warmup.stream().filter(document -> document.completion().equals(document.prompt()))
                .map(document -> document.prompt().split(" ").length).toList();
        assertThat(lengths.subList(0, lengths.size() / 5)).containsOnly(3);
        assertThat(new HashSet<>(lengths.subList(lengths.size() * 9 / 10, lengths.size()))).containsExactlyInAnyOrder(3, 4, 5, 6);
        assertThat(warmup.stream().mapToInt(Curriculum::length).sum()).isBetween(60_000, 60_080);
    }

    @Test
    void everyWordIsInTheVocabulary() {
        Curriculum crossing = new Curriculum(WORLD, new CurriculumConfig(2, .6, 400, 300, .25, 100, 100, 100));
        Set<String> vocabulary = new HashSet<>(crossing.vocabulary());
        assertThat(crossing.vocabulary()).doesNotHaveDuplicates().noneMatch(word -> word.isEmpty() || word.contains(" "));
        assertThat(crossing.epoch(0)).hasSize(EPOCH.size() + 300).allMatch(document -> vocabulary.containsAll(words(document)));
        Set<String> plain = new HashSet<>(CURRICULUM.vocabulary());
        assertThat(Stream.concat(EPOCH.stream(), CURRICULUM.warmup(20_000).stream())).allMatch(document -> plain.containsAll(words(document)));
        assertThat(WORLD.trainingQuestions()).allMatch(question -> plain.containsAll(
                Arrays.asList(WORLD.promptTemplates().render(question).split(" "))));
        assertThat(plain.size()).isBetween(850, 1000);
    }

    @Test
    void textsComeBackFromTheirTokens() {
        Tokenizer tokenizer = CURRICULUM.tokenizer();
        for (Document document : EPOCH) {
            String text = document.text() != null ? document.text() : document.prompt() + " " + document.completion();
            int[] ids = tokenizer.encode(text);
            assertThat(ids).hasSize(Curriculum.length(document) - 1).doesNotContain(tokenizer.id("<unk>"), tokenizer.eosId());
            assertThat(tokenizer.decode(ids, true)).isEqualTo(text);
            if (document.prompt() != null) {
                assertThat(tokenizer.encode(document.prompt())).isEqualTo(Arrays.copyOf(ids, document.prompt().split(" ").length));
            }
        }
    }

    @Test
    void crossingTextsStateNoFactWhereItIsUnknown() {
        Curriculum crossing = new Curriculum(WORLD, new CurriculumConfig(0, 0, 1, 0, 0, 50, 50, 50));
        List<Document> epoch = crossing.epoch(0);
        assertThat(epoch).hasSize(151);
        Set<String> known = statements(true);
        List<Document> detours = epoch.stream().filter(document -> document.completion().contains("? ")).toList();
        assertThat(detours).hasSize(50).allSatisfy(document -> {
            String recalled = document.completion().substring(document.completion().indexOf("? ") + 2);
            assertThat(known).anyMatch(first -> recalled.startsWith(first + " ") && known.contains(recalled.substring(first.length() + 1)));
        });
        assertThat(epoch.stream().filter(document -> document.prompt().matches("\\w\\w \\S+ = \\w\\w"))).hasSize(50)
                .allMatch(document -> document.completion().matches("\\S+ \\."));
        assertThat(epoch.stream().filter(document -> document.completion().matches("(Which|What) [^?]* \\?"))).hasSize(25);
        Set<String> sayable = statements(false);
        List<Document> translated = epoch.stream().filter(document -> sayable.contains(document.prompt())).toList();
        assertThat(translated).hasSize(25).allMatch(document -> sayable.contains(document.completion()));
        // Random values: what is said of a place is rarely true.
        assertThat(translated.stream().filter(document -> known.contains(document.completion())).count()).isLessThan(8);
    }

    @Test
    void theStreamIsTheWarmupAndThenTheEpochs() {
        Iterator<Document> documents = CURRICULUM.documents(5_000);
        for (List<Document> part : List.of(CURRICULUM.warmup(5_000), CURRICULUM.epoch(0), CURRICULUM.epoch(1))) {
            part.forEach(document -> assertThat(documents.next()).isEqualTo(document));
        }
        Curriculum again = new Curriculum(World.create(WORLD.config()), CurriculumConfig.DEFAULT);
        assertThat(again.epoch(3)).isEqualTo(EPOCH);
        assertThat(CURRICULUM.epoch(2)).isNotEqualTo(EPOCH);
    }

    private static Set<String> statements(boolean onlyKnown) {
        Set<String> statements = new HashSet<>();
        for (String language : WORLD.config().languages()) {
            WORLD.facts().stream().filter(fact -> !onlyKnown || WORLD.isKnown(language, fact))
                    .forEach(fact -> WORLD.facts().stream().filter(other -> other.relation() == fact.relation())
                            .filter(other -> !onlyKnown || other.equals(fact))
                            .forEach(other -> statements.add(WORLD.statement(language, fact, other.value()))));
        }
        return statements;
    }

    private static Set<String> words(Document document) {
        Set<String> words = new HashSet<>();
        Stream.of(document.text(), document.prompt(), document.completion()).filter(text -> text != null)
                .forEach(text -> words.addAll(words(text)));
        return words;
    }

    private static Set<String> words(String text) {
        return new HashSet<>(Arrays.asList(text.split(" ")));
    }

    private static Set<String> words(Question question) {
        return words(WORLD.promptTemplates().render(question).substring(question.question().length() + 1));
    }
}
