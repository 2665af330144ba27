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
    private static final World WORLD = World.create(WorldConfig.standard(), 1);
    private static final World EVERY_LANGUAGE =
            World.create(WorldConfig.of(List.copyOf(World.supportedLanguages())), 1);

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
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
                "ru | region-JP | Япония : как называется регион ? | Япония : регион называется Восточная_Азия .",
                "ar | language-FR | فرنسا : ما اللغة الرئيسية ؟ | فرنسا : اللغة الرئيسية الفرنسية .",
                "hi | region-JP | जापान : क्षेत्र का नाम क्या है ? | जापान : क्षेत्र का नाम पूर्वी_एशिया है ।",
                "sw | language-FR | Ufaransa : lugha kuu ni ipi ? | Ufaransa : lugha kuu ni Kifaransa .",
                "ko | language-FR | 프랑스 : 주요 언어는 무엇입니까 ? | 프랑스 : 주요 언어는 프랑스어 입니다 ."
            })
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
        World again = World.create(WORLD.config(), 1);
        assertThat(again.trainingQuestions()).isEqualTo(WORLD.trainingQuestions());
        assertThat(again.heldOutQuestions()).isEqualTo(WORLD.heldOutQuestions());
        assertThat(knowledge(again)).isEqualTo(knowledge(WORLD));
        World other = World.create(WORLD.config(), 2);
        assertThat(other.facts()).isEqualTo(WORLD.facts());
        assertThat(other.trainingQuestions()).isNotEqualTo(WORLD.trainingQuestions());
        assertThat(knowledge(other)).isNotEqualTo(knowledge(WORLD));
    }

    @Test
    void aLanguageKnowsTheSameWhateverTheOthersAre() {
        World two = World.create(WorldConfig.of(List.of("en", "ja", "de")), 1);
        assertThat(two.facts()).isEqualTo(WORLD.facts());
        assertThat(two.facts())
                .allMatch(fact -> two.isKnown("ja", fact) == WORLD.isKnown("ja", fact)
                        && two.isHeldOut(fact) == WORLD.isHeldOut(fact));
        assertThat(two.evaluationQuestions()).isSubsetOf(WORLD.evaluationQuestions());
    }

    @ParameterizedTest
    @CsvSource({"en,.625", "fr,.5", "de,.6", "it,.4", "zh,.35", "ja,.3"})
    void coverageIsUnequalOnPurpose(String language, double coverage) {
        int known = 0;
        for (long seed = 0; seed < 10; seed++) {
            World world = World.create(WorldConfig.standard(), seed);
            known += (int) world.facts().stream()
                    .filter(fact -> world.isKnown(language, fact))
                    .count();
        }
        // Three standard deviations of a mean over 2560 draws.
        assertThat(known / 2560.0).isCloseTo(coverage, within(3 * Math.sqrt(coverage * (1 - coverage) / 2560)));
    }

    @Test
    void languagesMissOtherFacts() {
        long both = WORLD.facts().stream()
                .filter(fact -> WORLD.isKnown("en", fact) && WORLD.isKnown("fr", fact))
                .count();
        // Independent: (.9 + .35) × .5 of 128 facts each, within three standard deviations.
        assertThat((double) both).isCloseTo(80, within(3 * Math.sqrt(256 * .3125 * .6875)));
    }

    @Test
    void heldOutFactsAreNeverAskedInTraining() {
        assertThat(WORLD.facts().stream().filter(WORLD::isHeldOut)).hasSize(77);
        Set<String> heldOut =
                WORLD.facts().stream().filter(WORLD::isHeldOut).map(Fact::id).collect(Collectors.toSet());
        assertThat(facts(WORLD.heldOutQuestions())).isEqualTo(heldOut);
        assertThat(facts(WORLD.trainingQuestions()))
                .doesNotContainAnyElementsOf(heldOut)
                .hasSize(179);
        assertThat(facts(WORLD.evaluationQuestions())).isEqualTo(facts(WORLD.trainingQuestions()));
        Set<String> texts =
                WORLD.trainingQuestions().stream().map(Question::question).collect(Collectors.toSet());
        assertThat(WORLD.heldOutQuestions()).noneMatch(question -> texts.contains(question.question()));
    }

    @Test
    void evaluationHasOtherOptionsThanTraining() {
        Set<String> asked = new HashSet<>();
        WORLD.trainingQuestions()
                .forEach(question -> assertThat(asked.add(optionSet(question))).isTrue());
        assertThat(WORLD.trainingQuestions()).hasSize(179 * 2 * 6);
        WORLD.evaluationQuestions()
                .forEach(question -> assertThat(asked.add(optionSet(question))).isTrue());
        assertThat(WORLD.evaluationQuestions()).hasSize(179 * 6);
        assertThat(WORLD.heldOutQuestions()).hasSize(77 * 3 * 6);
    }

    @Test
    void aQuestionHasTheSameOptionsInAllLanguages() {
        Map<String, List<Question>> byId = Stream.of(
                        WORLD.trainingQuestions(), WORLD.evaluationQuestions(), WORLD.heldOutQuestions())
                .flatMap(List::stream)
                .collect(Collectors.groupingBy(Question::id));
        assertThat(byId).hasSize(179 * 3 + 77 * 3);
        byId.forEach((id, questions) -> {
            assertThat(questions.stream().map(Question::language))
                    .containsExactlyElementsOf(WORLD.config().languages());
            Fact fact = fact(id.substring(0, id.lastIndexOf('-')));
            for (int option = 0; option < 4; option++) {
                Set<String> values = new HashSet<>();
                for (Question question : questions) {
                    values.add(valueOf(question, option));
                }
                assertThat(values).hasSize(1);
                boolean right = values.contains(fact.value());
                int index = option;
                assertThat(questions)
                        .allMatch(question ->
                                right == question.choices().get(index).label().equals(question.answer()));
            }
        });
    }

    @Test
    void theRightOptionStandsAnywhereAndIsNoMoreFrequentThanWrongOnes() {
        Map<String, Long> answers = WORLD.trainingQuestions().stream()
                .filter(question -> question.language().equals("en"))
                .collect(Collectors.groupingBy(Question::answer, Collectors.counting()));
        assertThat(answers.keySet()).containsExactlyInAnyOrder("A", "B", "C", "D");
        // A quarter of 358, within three standard deviations.
        assertThat(answers.values()).allMatch(count -> Math.abs(count - 89.5) < 25);
        List<Question> withEnglish = WORLD.trainingQuestions().stream()
                .filter(question -> question.language().equals("en"))
                .filter(question -> question.choices().stream()
                        .anyMatch(choice -> choice.text().equals("English")))
                .toList();
        long right = withEnglish.stream()
                .filter(question -> text(question, question.answer()).equals("English"))
                .count();
        assertThat((double) right / withEnglish.size()).isBetween(0.15, 0.45);
    }

    /** The first hub knows most main languages, the second most regions, the others a share of their own. */
    @Test
    void hubsKnowDifferentThings() {
        WorldConfig standard = WorldConfig.standard();
        assertThat(standard.hubs()).containsExactly("en", "de");
        assertThat(standard.coverage(Relation.LANGUAGE, "en")).isEqualTo(0.9);
        assertThat(standard.coverage(Relation.REGION, "de")).isEqualTo(0.9);
        // What the file says of the default languages is what the rule says of any.
        assertThat(new WorldConfig(standard.languages(), null, null, null, null, null, null, null, null, null, null))
                .isEqualTo(standard);
        assertThat(WorldConfig.of(List.of("de", "it", "en")).hubs()).containsExactly("en", "de");
        WorldConfig other = WorldConfig.of(List.of("es", "ru", "ar", "hi", "sw"));
        assertThat(other.hubs()).containsExactly("es", "ru");
        assertThat(other.coverage(Relation.LANGUAGE, "es")).isEqualTo(0.9);
        assertThat(other.coverage(Relation.REGION, "es")).isEqualTo(0.35);
        assertThat(other.coverage(Relation.REGION, "ru")).isEqualTo(0.9);
        assertThat(WorldConfig.of(List.of("fr")).hubs()).containsExactly("fr");
        WorldConfig less = new WorldConfig(
                null, null, null, null, null, null, null, null, null, Map.of("language", Map.of("en", 0.5)), null);
        assertThat(less.coverage(Relation.LANGUAGE, "en")).isEqualTo(0.5);
        assertThat(less.coverage(Relation.LANGUAGE, "fr")).isEqualTo(0.5);
        assertThat(less.coverage(Relation.REGION, "en")).isEqualTo(0.35);
        World world = World.create(standard, 3);
        long known = world.facts().stream()
                .filter(fact -> fact.relation() == Relation.LANGUAGE && world.isKnown("en", fact))
                .count();
        assertThat(known / 128.0).isBetween(.8, 1.0);
    }

    @Test
    void wrongSettingsAreRefused() {
        refused(() -> WorldConfig.of(List.of("en", "tlh")), "'tlh'", "en fr de it zh ja");
        refused(() -> WorldConfig.of(List.of("en", "en")), "once");
        refused(() -> with(List.of("en"), List.of("fr"), 9, null), "hubs", "[fr]");
        refused(() -> with(List.of("en"), null, 0, null), "territories");
        refused(
                () -> with(List.of("en"), null, 9, Map.of("language", Map.of("fr", 0.5))),
                "coverage.language.fr",
                "are en");
        refused(
                () -> with(List.of("en"), null, 9, Map.of("language", Map.of("en", 1.5))),
                "coverage.language.en",
                "from 0 to 1");
        refused(
                () -> with(List.of("en"), null, 9, Map.of("capital", Map.of("en", 0.5))),
                "coverage.capital",
                "region language");
        refused(() -> World.create(with(List.of("en"), null, 2, null), 1), "too few");
    }

    private static WorldConfig with(
            List<String> languages, List<String> hubs, int territories, Map<String, Map<String, Double>> coverage) {
        return new WorldConfig(languages, hubs, territories, null, null, null, null, null, null, coverage, null);
    }

    private static void refused(org.assertj.core.api.ThrowableAssert.ThrowingCallable make, String... parts) {
        assertThatThrownBy(make).isInstanceOf(CalmException.class).hasMessageContainingAll(parts);
    }

    private static Fact fact(String id) {
        return EVERY_LANGUAGE.facts().stream()
                .filter(fact -> fact.id().equals(id))
                .findFirst()
                .orElseThrow();
    }

    private static Set<String> facts(List<Question> questions) {
        return questions.stream()
                .map(question -> question.id().substring(0, question.id().lastIndexOf('-')))
                .collect(Collectors.toSet());
    }

    private static List<Boolean> knowledge(World world) {
        List<Boolean> known = new ArrayList<>();
        world.config().languages().forEach(language -> world.facts()
                .forEach(fact -> known.add(world.isKnown(language, fact))));
        return known;
    }

    private static String optionSet(Question question) {
        return question.question()
                + question.choices().stream()
                        .map(Question.Choice::text)
                        .sorted()
                        .toList();
    }

    private static String text(Question question, String label) {
        return question.choices().stream()
                .filter(choice -> choice.label().equals(label))
                .findFirst()
                .orElseThrow()
                .text();
    }

    private static String valueOf(Question question, int option) {
        String text = question.choices().get(option).text();
        return WORLD.facts().stream()
                .filter(fact -> fact.relation().id().equals(question.relation()))
                .map(Fact::value)
                .filter(value -> WORLD.valueName(question.language(), relation(question), value)
                        .equals(text))
                .findFirst()
                .orElseThrow();
    }

    private static Relation relation(Question question) {
        return Relation.valueOf(question.relation().toUpperCase(java.util.Locale.ROOT));
    }
}
