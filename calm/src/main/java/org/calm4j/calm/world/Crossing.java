package org.calm4j.calm.world;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.calm4j.calm.data.Document;
import org.calm4j.engine.random.CounterRandom;

/**
 * Texts that lead from one language to another, over the language that knows most. None of them states a fact in a language that does
 * not know it: dictionary lines name things, translations are about random values, and detours are walked for facts known on both sides.
 */
final class Crossing {
    private final World world;
    private final CurriculumConfig config;
    private final String pivot;
    private final List<String> others;

    Crossing(World world, CurriculumConfig config) {
        this.world = world;
        this.config = config;
        pivot = world.config().languages().stream().max(Comparator.comparing(language -> Phrasing.ALL.get(language).coverage()))
                .orElseThrow();
        others = world.config().languages().stream().filter(language -> !language.equals(pivot)).toList();
    }

    void add(List<Document> documents, long epochKey) {
        if (others.isEmpty()) {
            return;
        }
        for (int i = 0; i < config.dictionary(); i++) {
            documents.add(dictionaryLine(key(epochKey, "dictionary", i)));
        }
        for (int i = 0; i < config.translations(); i++) {
            documents.add(translation(key(epochKey, "translation", i), i % 2 == 0));
        }
        List<Detour> detours = config.detours() > 0 ? possibleDetours() : List.of();
        for (int i = 0; i < config.detours() && !detours.isEmpty(); i++) {
            long key = key(epochKey, "detour", i);
            documents.add(asked(detours.get(pick(key, "which", detours.size())), key));
        }
    }

    /** Such as {@code en Japan = fr}, and {@code Japon .} to be learned; half of the lines name territories, half values. */
    private Document dictionaryLine(long key) {
        Fact fact = anyFact(key);
        String other = others.get(pick(key, "language", others.size()));
        boolean territory = pick(key, "kind", 2) == 0;
        boolean fromPivot = pick(key, "direction", 2) == 0;
        String from = fromPivot ? pivot : other;
        String to = fromPivot ? other : pivot;
        return Document.of(from + " " + name(from, fact, territory) + " = " + to, name(to, fact, territory) + " .");
    }

    private String name(String language, Fact fact, boolean territory) {
        return territory ? world.territoryName(language, fact.territory()) : world.valueName(language, fact.relation(), fact.value());
    }

    /** A question into the pivot language, or a statement of a random value, mostly false, out of it. */
    private Document translation(long key, boolean ofQuestion) {
        Fact fact = anyFact(key);
        String other = others.get(pick(key, "language", others.size()));
        if (ofQuestion) {
            return Document.of(world.question(other, fact), world.question(pivot, fact));
        }
        String value = world.optionSets().any(fact.relation(), key).getFirst();
        return Document.of(world.statement(pivot, fact, value), world.statement(other, fact, value));
    }

    /** A fact that the language and the pivot know. */
    private record Detour(String language, Fact fact) {
    }

    /** The answer asks itself in the pivot language, states the fact there, then in its own. */
    private Document asked(Detour detour, long key) {
        List<String> options = world.optionSets().practice(detour.fact, key);
        String prompt = world.promptTemplates().render(world.question(detour.language, detour.fact, "", options));
        return Document.of(prompt, world.question(pivot, detour.fact) + " " + world.statement(pivot, detour.fact) + " "
                + world.statement(detour.language, detour.fact));
    }

    private List<Detour> possibleDetours() {
        List<Detour> detours = new ArrayList<>();
        for (Fact fact : world.facts()) {
            others.stream().filter(language -> world.isKnown(pivot, fact) && world.isKnown(language, fact))
                    .forEach(language -> detours.add(new Detour(language, fact)));
        }
        return detours;
    }

    private Fact anyFact(long key) {
        return world.facts().get(pick(key, "fact", world.facts().size()));
    }

    private static int pick(long key, String purpose, int bound) {
        return CounterRandom.below(CounterRandom.seed(key, purpose), 0, bound);
    }

    private static long key(long key, String purpose, int index) {
        return CounterRandom.seed(CounterRandom.seed(key, purpose), index);
    }
}
