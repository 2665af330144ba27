package org.calm4j.calm.world;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.random.CounterRandom;

/**
 * The options of the questions, as CLDR values: for each fact a fixed series of distinct sets, and practice sets that are
 * none of these.
 *
 * <p>A wrong option is the value of a random other territory: a value is then as often wrong as right, and guessing the frequent value
 * does not pay.
 */
final class OptionSets {
    private static final int ATTEMPTS = 1000;

    private final long seed;
    private final int options;
    /** The value of every territory, so that frequent values are drawn often. */
    private final Map<Relation, List<String>> values = new EnumMap<>(Relation.class);

    private final Map<Fact, List<List<String>>> fixed = new HashMap<>();

    OptionSets(List<Fact> facts, WorldConfig config, long worldSeed, Set<Fact> heldOut) {
        seed = CounterRandom.seed(worldSeed, "options");
        options = config.options();
        facts.forEach(fact -> values.computeIfAbsent(fact.relation(), key -> new ArrayList<>())
                .add(fact.value()));
        values.forEach((relation, all) -> {
            int distinct = new HashSet<>(all).size();
            if (distinct < options) {
                throw CalmException.usage(
                        "a world of " + all.size() + " territories has only " + distinct + " values of '"
                                + relation.id() + "', too few for " + options + " options; ask for more territories");
            }
        });
        for (Fact fact : facts) {
            int sets = heldOut.contains(fact) ? config.heldOutSets() : config.trainingSets() + config.evaluationSets();
            fixed.put(fact, fixedSets(fact, sets));
        }
    }

    /** The fact's option sets, in the order of their numbers; each a list of values in the order in which they are asked. */
    List<List<String>> fixed(Fact fact) {
        return fixed.get(fact);
    }

    /** Options for practice, drawn from {@code key}: never one of the fixed sets. */
    List<String> practice(Fact fact, long key) {
        Set<Set<String>> taken = new HashSet<>();
        fixed.get(fact).forEach(set -> taken.add(Set.copyOf(set)));
        return draw(fact, key, taken);
    }

    /** The values that there are. */
    Set<String> values(Relation relation) {
        return new LinkedHashSet<>(values.get(relation));
    }

    /** Random options of one relation; the right one is among them only by chance. */
    List<String> any(Relation relation, long key) {
        return shuffled(distinct(new LinkedHashSet<>(), values.get(relation), key), key);
    }

    private List<List<String>> fixedSets(Fact fact, int sets) {
        List<List<String>> drawn = new ArrayList<>();
        Set<Set<String>> taken = new HashSet<>();
        for (int i = 0; i < sets; i++) {
            List<String> set = draw(fact, CounterRandom.seed(CounterRandom.seed(seed, fact.id()), i), taken);
            taken.add(Set.copyOf(set));
            drawn.add(set);
        }
        return List.copyOf(drawn);
    }

    private List<String> draw(Fact fact, long key, Set<Set<String>> taken) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            long attemptKey = CounterRandom.seed(key, attempt);
            Set<String> set =
                    distinct(new LinkedHashSet<>(List.of(fact.value())), values.get(fact.relation()), attemptKey);
            if (!taken.contains(set)) {
                return shuffled(set, attemptKey);
            }
        }
        throw CalmException.usage("the world is too small for " + (taken.size() + 1) + " different option sets of "
                + fact.id() + "; ask for more territories or fewer sets");
    }

    private Set<String> distinct(Set<String> set, List<String> from, long key) {
        for (long i = 0; set.size() < options; i++) {
            set.add(from.get(CounterRandom.below(CounterRandom.seed(key, "values"), i, from.size())));
        }
        return set;
    }

    private static List<String> shuffled(Set<String> set, long key) {
        List<String> values = List.copyOf(set);
        int[] order = CounterRandom.permutation(CounterRandom.seed(key, "order"), values.size());
        return Arrays.stream(order).mapToObj(values::get).toList();
    }
}
