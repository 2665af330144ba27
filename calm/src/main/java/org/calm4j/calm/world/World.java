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
    private final List<Fact> facts;
    private final Map<String, Names> names = new LinkedHashMap<>();
    private final Set<Fact> heldOut = new HashSet<>();
    private final OptionSets optionSets;

    private World(WorldConfig config) {
        this.config = config;
        facts = Atlas.facts(config.territories(), config.valueCap());
        config.languages().forEach(language -> names.put(language, Names.in(language)));
        int[] order = CounterRandom.permutation(CounterRandom.seed(config.seed(), "held-out"), facts.size());
        for (int i = 0; i < Math.round(config.heldOut() * facts.size()); i++) {
            heldOut.add(facts.get(order[i]));
        }
        optionSets = new OptionSets(facts, config, heldOut);
    }

    public static World create(WorldConfig config) {
        return new World(config);
    }

    /** The languages for which there are sentences, best known first. */
    public static Collection<String> supportedLanguages() {
        return Phrasing.ALL.keySet();
    }

    public WorldConfig config() {
        return config;
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
        return draw("coverage", language, fact) < Phrasing.ALL.get(language).coverage();
    }

    /** A number in [0,1) for one fact in one language. */
    double draw(String purpose, String language, Fact fact) {
        return CounterRandom.uniform(CounterRandom.seed(config.seed(), purpose + " " + language + " " + fact.id()), 0);
    }

    /** The sentence that states the fact. */
    public String statement(String language, Fact fact) {
        return statement(language, fact, fact.value());
    }

    /** The sentence that would state another value of the fact. */
    public String statement(String language, Fact fact, String value) {
        String place = names.get(language).territory(fact.territory());
        return Phrasing.ALL.get(language).statement(fact.relation(), fact.territory(), place, valueName(language, fact.relation(), value));
    }

    /** The question that asks for the fact, without its options. */
    public String question(String language, Fact fact) {
        return Phrasing.ALL.get(language).question(fact.relation(), fact.territory(), names.get(language).territory(fact.territory()));
    }

    public String territoryName(String language, String territory) {
        return names.get(language).territory(territory);
    }

    public String valueName(String language, Relation relation, String value) {
        return names.get(language).value(relation, value);
    }

    /** How the questions are put to the model. */
    public PromptTemplates promptTemplates() {
        Map<String, PromptTemplate> byLanguage = new TreeMap<>();
        config.languages().forEach(language -> byLanguage.put(language, Phrasing.ALL.get(language).promptTemplate()));
        return new PromptTemplates(byLanguage);
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
                    questions.add(question(language, fact, fact.id() + "-" + set, optionSets.fixed(fact).get(set)));
                }
            }
        }
        return questions;
    }

    Question question(String language, Fact fact, String id, List<String> values) {
        return new Question(id, language, question(language, fact), choices(language, fact.relation(), values),
                label(values.indexOf(fact.value())), fact.relation().id());
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
            Phrasing.ALL.get(language).texts().forEach(text -> words.addAll(List.of(text.strip().split(" +"))));
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
