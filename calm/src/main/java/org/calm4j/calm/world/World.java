package org.calm4j.calm.world;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.prompt.PromptTemplate;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.random.CounterRandom;

/**
 * A small real world in several languages: facts of Unicode CLDR about territories, which each language knows a part of, and
 * multiple-choice questions about them.
 *
 * <p>Everything follows from the configuration and its seed. In texts, words are separated by one space, and the words inside a name by
 * no-break spaces.
 */
public final class World {
    private final WorldConfig config;
    private final long seed;
    private final List<Fact> facts;
    private final Map<String, Place> places = new LinkedHashMap<>();
    private final Map<String, Names> names = new LinkedHashMap<>();
    private final Set<Fact> heldOut = new HashSet<>();
    private final OptionSets optionSets;
    private final PromptTemplates promptTemplates;

    private World(WorldConfig config, long seed) {
        this.config = config;
        this.seed = seed;
        facts = Atlas.facts(config.territories(), config.valueCap());
        config.languages().forEach(language -> names.put(language, Names.in(language)));
        facts.forEach(fact -> places.computeIfAbsent(fact.territory(), this::placeOf));
        int[] order = CounterRandom.permutation(CounterRandom.seed(seed, "held-out"), facts.size());
        for (int i = 0; i < Math.round(config.heldOut() * facts.size()); i++) {
            heldOut.add(facts.get(order[i]));
        }
        Map<String, PromptTemplate> byLanguage = new TreeMap<>();
        config.languages()
                .forEach(language ->
                        byLanguage.put(language, Phrasing.ALL.get(language).promptTemplate()));
        promptTemplates = new PromptTemplates(byLanguage);
        optionSets = new OptionSets(facts, config, seed, heldOut);
    }

    /** @param seed of what each language knows, what is held out, and the options */
    public static World create(WorldConfig config, long seed) {
        return new World(config, seed);
    }

    private Place placeOf(String territory) {
        Map<String, String> inEach = new LinkedHashMap<>();
        names.forEach((language, own) -> inEach.put(language, own.territory(territory)));
        return new Place(territory, inEach);
    }

    /** The languages for which there are sentences, best known first. */
    public static Collection<String> supportedLanguages() {
        return Phrasing.ALL.keySet();
    }

    public WorldConfig config() {
        return config;
    }

    public long seed() {
        return seed;
    }

    Place place(String territory) {
        return places.get(territory);
    }

    Iterable<Place> places() {
        return places.values();
    }

    /** All facts, in a fixed order. */
    public List<Fact> facts() {
        return facts;
    }

    /** Whether CALM never trains on the fact. */
    public boolean isHeldOut(Fact fact) {
        return heldOut.contains(fact);
    }

    /** Whether the pretraining texts of the language state the fact. */
    public boolean isKnown(String language, Fact fact) {
        return draw("coverage", language, fact) < config.coverage(fact.relation(), language);
    }

    /** A number in [0,1) for one fact in one language. */
    double draw(String purpose, String language, Fact fact) {
        return CounterRandom.uniform(CounterRandom.seed(seed, purpose + " " + language + " " + fact.id()), 0);
    }

    /** The sentence that states the fact. */
    public String statement(String language, Fact fact) {
        return statement(language, fact, fact.value());
    }

    /** The sentence that would state another value of the fact. */
    public String statement(String language, Fact fact, String value) {
        return statement(language, place(fact.territory()), fact.relation(), value);
    }

    String statement(String language, Place place, Relation relation, String value) {
        return beforeValue(language, place, relation) + " " + fromValue(language, relation, value);
    }

    /** A statement up to where it names the value. */
    String beforeValue(String language, Place place, Relation relation) {
        return Phrasing.ALL.get(language).beforeValue(relation, place.territory(), place.name(language));
    }

    /** A statement from where it names the value. */
    String fromValue(String language, Relation relation, String value) {
        return Phrasing.ALL.get(language).fromValue(relation, valueName(language, relation, value));
    }

    /** The question that asks for the fact, without its options. */
    public String question(String language, Fact fact) {
        return question(language, place(fact.territory()), fact.relation());
    }

    String question(String language, Place place, Relation relation) {
        return Phrasing.ALL.get(language).question(relation, place.territory(), place.name(language));
    }

    /** A question with its options, as it is put to the model. */
    String prompt(String language, Place place, Relation relation, List<String> values) {
        return promptTemplates
                .byLanguage()
                .get(language)
                .render(question(language, place, relation), choices(language, relation, values));
    }

    public String territoryName(String language, String territory) {
        return place(territory).name(language);
    }

    public String valueName(String language, Relation relation, String value) {
        return names.get(language).value(relation, value);
    }

    /** How the questions are put to the model. */
    public PromptTemplates promptTemplates() {
        return promptTemplates;
    }

    /** The questions that CALM trains on: training facts, language by language. */
    public List<Question> trainingQuestions() {
        return questions(false, 0, config.trainingSets());
    }

    /** Questions about the training facts with option sets that no training question and no pretraining text has. */
    public List<Question> evaluationQuestions() {
        return questions(false, config.trainingSets(), config.trainingSets() + config.evaluationSets());
    }

    /** Questions about the held-out facts. */
    public List<Question> heldOutQuestions() {
        return questions(true, 0, config.heldOutSets());
    }

    OptionSets optionSets() {
        return optionSets;
    }

    private List<Question> questions(boolean ofHeldOut, int from, int to) {
        List<Question> questions = new ArrayList<>();
        for (String language : config.languages()) {
            for (Fact fact : facts) {
                for (int set = from; set < to && isHeldOut(fact) == ofHeldOut; set++) {
                    questions.add(question(
                            language,
                            fact,
                            fact.id() + "-" + set,
                            optionSets.fixed(fact).get(set)));
                }
            }
        }
        return questions;
    }

    Question question(String language, Fact fact, String id, List<String> values) {
        return new Question(
                id,
                language,
                question(language, fact),
                choices(language, fact.relation(), values),
                label(values.indexOf(fact.value())),
                fact.relation().id(),
                fact.id());
    }

    List<Question.Choice> choices(String language, Relation relation, List<String> values) {
        List<Question.Choice> choices = new ArrayList<>();
        for (int i = 0; i < values.size(); i++) {
            choices.add(new Question.Choice(label(i), valueName(language, relation, values.get(i))));
        }
        return choices;
    }

    private static String label(int index) {
        return String.valueOf((char) ('A' + index));
    }

    /** Every word of every text of this world, in a fixed order: template words first, then names. */
    public List<String> vocabulary() {
        Set<String> words = new LinkedHashSet<>();
        for (String language : config.languages()) {
            Phrasing.ALL
                    .get(language)
                    .texts()
                    .forEach(text -> words.addAll(List.of(text.strip().split(" +"))));
        }
        words.remove("");
        names.keySet().forEach(language -> words.addAll(territoryNames(language)));
        names.keySet().forEach(language -> words.addAll(valueNames(language)));
        return List.copyOf(words);
    }

    Set<String> territoryNames(String language) {
        Set<String> all = new LinkedHashSet<>();
        facts.forEach(fact -> all.add(territoryName(language, fact.territory())));
        return all;
    }

    Set<String> valueNames(String language) {
        Set<String> all = new LinkedHashSet<>();
        facts.forEach(fact -> all.add(valueName(language, fact.relation(), fact.value())));
        return all;
    }
}
