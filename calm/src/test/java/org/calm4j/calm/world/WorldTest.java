package org.calm4j.calm.world;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.data.Question;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WorldTest {
    private static final World WORLD = World.create(WorldConfig.of(WorldConfig.DEFAULT_LANGUAGES, 1));
    private static final World EVERY_LANGUAGE = World.create(WorldConfig.of(List.copyOf(World.supportedLanguages()), 1));

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', value = {
        "en | region-US | Which region does the United_States belong to ? | The United_States belongs to the Northern_America region .",
        "en | region-JP | Which region does Japan belong to ? | Japan belongs to the Eastern_Asia region .",
        "en | language-GB | What is the main language of the United_Kingdom ? | The main language of the United_Kingdom is English .",
        "fr | region-US | États-Unis : comment s’appelle la région ? | États-Unis : la région s’appelle Amérique_septentrionale .",
        "fr | language-IT | Italie : quelle langue y parle-t-on surtout ? | Italie : on y parle surtout italien .",
        "de | region-CH | Schweiz : Wie heißt die Region ? | Schweiz : Die Region heißt Westeuropa .",
        "de | language-UA | Ukraine : Welche Sprache spricht man dort vor allem ? | Ukraine : Dort spricht man vor allem Ukrainisch .",
        "it | region-JP | Giappone : come si chiama la regione ? | Giappone : la regione si chiama Asia_orientale .",
        "it | language-DE | Germania : quale lingua si parla soprattutto ? | Germania : si parla soprattutto tedesco .",
        "zh | region-FR | 法国 属于 哪个 地区 ？ | 法国 属于 西欧 。",
        "zh | language-FR | 法国 的 主要 语言 是 什么 ？ | 法国 的 主要 语言 是 法语 。",
        "ja | region-FR | フランス は どの 地域 に あります か ？ | フランス は 西ヨーロッパ に あります 。",
        "ja | language-FR | フランス の 主な 言語 は 何 です か ？ | フランス の 主な 言語 は フランス語 です 。",
        "es | region-JP | Japón : ¿ cómo se llama la región ? | Japón : la región se llama Asia_oriental .",
        "es | language-FR | Francia : ¿ qué idioma se habla sobre todo ? | Francia : se habla sobre todo francés .",
        "pt | region-DE | Alemanha : como se chama a região ? | Alemanha : a região se chama Europa_Ocidental .",
        "pt | language-JP | Japão : que língua se fala principalmente ? | Japão : fala-se principalmente japonês .",
        "ko | region-JP | 일본 : 지역은 어디입니까 ? | 일본 : 지역은 동아시아 입니다 .",
        "ko | language-FR | 프랑스 : 주요 언어는 무엇입니까 ? | 프랑스 : 주요 언어는 프랑스어 입니다 ."})
    void speaksTheLanguage(String language, String fact, String question, String statement) {
        assertThat(EVERY_LANGUAGE.question(language, fact(fact))).isEqualTo(question.replace('_', '\u00A0'));
        assertThat(EVERY_LANGUAGE.statement(language, fact(fact))).isEqualTo(statement.replace('_', '\u00A0'));
    }

    @Test
    void putsQuestionsWithTheirOptions() {
        Question question = WORLD.question("ja", fact("region-JP"), "region-JP-9", List.of("155", "030"));
        assertThat(question.answer()).isEqualTo("B");
        assertThat(WORLD.promptTemplates().render(question))
                .isEqualTo("日本 は どの 地域 に あります か ？ 選択肢 ： 西ヨーロッパ 、 東アジア 。 答え ：");
    }

    @Test
    void theSameSeedGivesTheSameWorldAndAnotherSeedAnother() {
        World again = World.create(WORLD.config());
        assertThat(again.trainingQuestions()).isEqualTo(WORLD.trainingQuestions());
        assertThat(again.heldOutQuestions()).isEqualTo(WORLD.heldOutQuestions());
        assertThat(knowledge(again)).isEqualTo(knowledge(WORLD));
        World other = World.create(WorldConfig.of(WorldConfig.DEFAULT_LANGUAGES, 2));
        assertThat(other.facts()).isEqualTo(WORLD.facts());
        assertThat(other.trainingQuestions()).isNotEqualTo(WORLD.trainingQuestions());
        assertThat(knowledge(other)).isNotEqualTo(knowledge(WORLD));
    }

    @Test
    void aLanguageKnowsTheSameWhateverTheOthersAre() {
        World two = World.create(WorldConfig.of(List.of("ja", "fr"), 1));
        assertThat(two.facts()).isEqualTo(WORLD.facts());
        assertThat(two.facts()).allMatch(fact -> two.isKnown("ja", fact) == WORLD.isKnown("ja", fact)
                && two.isHeldOut(fact) == WORLD.isHeldOut(fact));
        assertThat(two.evaluationQuestions()).isSubsetOf(WORLD.evaluationQuestions());
    }

    @ParameterizedTest
    @CsvSource({"en,.75", "fr,.55", "de,.45", "it,.40", "zh,.35", "ja,.25"})
    void coverageIsUnequalOnPurpose(String language, double coverage) {
        int known = 0;
        for (long seed = 0; seed < 10; seed++) {
            World world = World.create(WorldConfig.of(List.of(language), seed));
            known += (int) world.facts().stream().filter(fact -> world.isKnown(language, fact)).count();
        }
        // Three standard deviations of a mean over 1920 draws.
        assertThat(known / 1920.0).isCloseTo(coverage, within(3 * Math.sqrt(coverage * (1 - coverage) / 1920)));
    }

    @Test
    void languagesMissOtherFacts() {
        long both = WORLD.facts().stream().filter(fact -> WORLD.isKnown("en", fact) && WORLD.isKnown("fr", fact)).count();
        // Independent: .75 × .55 of 192 facts, within three standard deviations.
        assertThat((double) both).isCloseTo(79.2, within(3 * Math.sqrt(192 * .4125 * .5875)));
    }

    @Test
    void heldOutFactsAreNeverAskedInTraining() {
        assertThat(WORLD.facts().stream().filter(WORLD::isHeldOut)).hasSize(58);
        Set<String> heldOut = WORLD.facts().stream().filter(WORLD::isHeldOut).map(Fact::id).collect(Collectors.toSet());
        assertThat(facts(WORLD.heldOutQuestions())).isEqualTo(heldOut);
        assertThat(facts(WORLD.trainingQuestions())).doesNotContainAnyElementsOf(heldOut).hasSize(134);
        assertThat(facts(WORLD.evaluationQuestions())).isEqualTo(facts(WORLD.trainingQuestions()));
        Set<String> texts = WORLD.trainingQuestions().stream().map(Question::question).collect(Collectors.toSet());
        assertThat(WORLD.heldOutQuestions()).noneMatch(question -> texts.contains(question.question()));
    }

    @Test
    void evaluationHasOtherOptionsThanTraining() {
        Set<String> asked = new HashSet<>();
        WORLD.trainingQuestions().forEach(question -> assertThat(asked.add(optionSet(question))).isTrue());
        assertThat(WORLD.trainingQuestions()).hasSize(134 * 4 * 6);
        WORLD.evaluationQuestions().forEach(question -> assertThat(asked.add(optionSet(question))).isTrue());
        assertThat(WORLD.evaluationQuestions()).hasSize(134 * 2 * 6);
        assertThat(WORLD.heldOutQuestions()).hasSize(58 * 4 * 6);
    }

    @Test
    void aQuestionHasTheSameOptionsInAllLanguages() {
        Map<String, List<Question>> byId = Stream.of(WORLD.trainingQuestions(), WORLD.evaluationQuestions(), WORLD.heldOutQuestions())
                .flatMap(List::stream).collect(Collectors.groupingBy(Question::id));
        assertThat(byId).hasSize(134 * 6 + 58 * 4);
        byId.forEach((id, questions) -> {
            assertThat(questions.stream().map(Question::language)).containsExactlyElementsOf(WORLD.config().languages());
            Fact fact = fact(id.substring(0, id.lastIndexOf('-')));
            for (int option = 0; option < 4; option++) {
                Set<String> values = new HashSet<>();
                for (Question question : questions) {
                    values.add(valueOf(question, option));
                }
                assertThat(values).hasSize(1);
                boolean right = values.contains(fact.value());
                int index = option;
                assertThat(questions).allMatch(question -> right == question.choices().get(index).label().equals(question.answer()));
            }
        });
    }

    @Test
    void theRightOptionStandsAnywhereAndIsNoMoreFrequentThanWrongOnes() {
        Map<String, Long> answers = WORLD.trainingQuestions().stream().filter(question -> question.language().equals("en"))
                .collect(Collectors.groupingBy(Question::answer, Collectors.counting()));
        assertThat(answers.keySet()).containsExactlyInAnyOrder("A", "B", "C", "D");
        // A quarter of 536, within three standard deviations.
        assertThat(answers.values()).allMatch(count -> Math.abs(count - 134) < 30);
        List<Question> withEnglish = WORLD.trainingQuestions().stream().filter(question -> question.language().equals("en"))
                .filter(question -> question.choices().stream().anyMatch(choice -> choice.text().equals("English"))).toList();
        long right = withEnglish.stream().filter(question -> text(question, question.answer()).equals("English")).count();
        assertThat((double) right / withEnglish.size()).isBetween(0.15, 0.45);
    }

    @Test
    void wrongSettingsAreRefused() {
        assertThatThrownBy(() -> WorldConfig.of(List.of("en", "tlh"), 1)).isInstanceOf(CalmException.class)
                .hasMessageContaining("'tlh'").hasMessageContaining("en fr de it zh ja");
        assertThatThrownBy(() -> WorldConfig.of(List.of("en", "en"), 1)).isInstanceOf(CalmException.class).hasMessageContaining("once");
        assertThatThrownBy(() -> World.create(new WorldConfig(List.of("en"), 1, 2, 14, .3, 4, 4, 2, 4))).isInstanceOf(CalmException.class)
                .hasMessageContaining("too few");
    }

    private static Fact fact(String id) {
        return EVERY_LANGUAGE.facts().stream().filter(fact -> fact.id().equals(id)).findFirst().orElseThrow();
    }

    private static Set<String> facts(List<Question> questions) {
        return questions.stream().map(question -> question.id().substring(0, question.id().lastIndexOf('-'))).collect(Collectors.toSet());
    }

    private static List<Boolean> knowledge(World world) {
        List<Boolean> known = new ArrayList<>();
        world.config().languages().forEach(language -> world.facts().forEach(fact -> known.add(world.isKnown(language, fact))));
        return known;
    }

    private static String optionSet(Question question) {
        return question.question() + question.choices().stream().map(Question.Choice::text).sorted().toList();
    }

    private static String text(Question question, String label) {
        return question.choices().stream().filter(choice -> choice.label().equals(label)).findFirst().orElseThrow().text();
    }

    private static String valueOf(Question question, int option) {
        String text = question.choices().get(option).text();
        return WORLD.facts().stream().filter(fact -> fact.relation().id().equals(question.relation()))
                .map(Fact::value).filter(value -> WORLD.valueName(question.language(), relation(question), value).equals(text))
                .findFirst().orElseThrow();
    }

    private static Relation relation(Question question) {
        return Relation.valueOf(question.relation().toUpperCase(java.util.Locale.ROOT));
    }
}
