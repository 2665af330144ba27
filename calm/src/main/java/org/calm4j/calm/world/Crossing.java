package org.calm4j.calm.world;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.data.Document;
import org.calm4j.engine.random.CounterRandom;

/** Texts that lead from one language to another: dictionary lines, and answers that recall the fact in another language first. */
final class Crossing {
    private final World world;
    private final CurriculumConfig config;

    Crossing(World world, CurriculumConfig config) {
        this.world = world;
        this.config = config;
    }

    void add(List<Document> documents, long epochKey) {
        if (world.config().languages().size() < 2) {
            return;
        }
        long dictionaryKey = CounterRandom.seed(epochKey, "dictionary");
        for (int i = 0; i < config.dictionary(); i++) {
            documents.add(dictionaryLine(CounterRandom.seed(dictionaryKey, i)));
        }
        List<Detour> detours = config.detours() > 0 ? possibleDetours() : List.of();
        long detourKey = CounterRandom.seed(epochKey, "detours");
        for (int i = 0; i < config.detours() && !detours.isEmpty(); i++) {
            long key = CounterRandom.seed(detourKey, i);
            documents.add(detours.get(CounterRandom.below(key, 0, detours.size())).asked(world, key));
        }
    }

    /** Such as {@code en Japan = fr Japon .}; half of the lines name territories, half their values. */
    private Document dictionaryLine(long key) {
        List<String> languages = world.config().languages();
        int[] order = CounterRandom.permutation(CounterRandom.seed(key, "languages"), languages.size());
        Fact fact = world.facts().get(CounterRandom.below(CounterRandom.seed(key, "fact"), 0, world.facts().size()));
        boolean territory = CounterRandom.below(CounterRandom.seed(key, "kind"), 0, 2) == 0;
        List<String> sides = new ArrayList<>();
        for (int side = 0; side < 2; side++) {
            String language = languages.get(order[side]);
            String name = territory ? world.territoryName(language, fact.territory())
                    : world.valueName(language, fact.relation(), fact.value());
            sides.add(language + " " + name);
        }
        return Document.of(sides.get(0) + " = " + sides.get(1) + " .");
    }

    /** A fact that both languages know. */
    private record Detour(String language, String over, Fact fact) {
        Document asked(World world, long key) {
            String prompt = world.promptTemplates()
                    .render(world.question(language, fact, "", world.optionSets().practice(fact, CounterRandom.seed(key, "options"))));
            return Document.of(prompt, world.statement(over, fact) + " " + world.statement(language, fact));
        }
    }

    private List<Detour> possibleDetours() {
        List<Detour> detours = new ArrayList<>();
        for (Fact fact : world.facts()) {
            List<String> knowing = world.config().languages().stream().filter(language -> world.isKnown(language, fact)).toList();
            for (String language : knowing) {
                knowing.stream().filter(over -> !over.equals(language)).forEach(over -> detours.add(new Detour(language, over, fact)));
            }
        }
        return detours;
    }
}
