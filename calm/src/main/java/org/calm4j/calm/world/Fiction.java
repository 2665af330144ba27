package org.calm4j.calm.world;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.random.CounterRandom;

/** Fictional places. Each has a name in each language, made of syllables, unlike any other name or word of the world. */
final class Fiction {
    private static final int SYLLABLES = 3;

    private Fiction() {}

    static List<Place> places(World world, int count) {
        Set<String> taken = new HashSet<>(world.vocabulary());
        List<Place> places = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Map<String, String> names = new LinkedHashMap<>();
            for (String language : world.config().languages()) {
                long key = CounterRandom.seed(CounterRandom.seed(world.seed(), "fiction " + language), i);
                names.put(language, name(Phrasing.ALL.get(language).syllables(), key, taken));
            }
            places.add(new Place(null, names));
        }
        return List.copyOf(places);
    }

    private static String name(List<String> syllables, long key, Set<String> taken) {
        for (long attempt = 0; ; attempt++) {
            StringBuilder name = new StringBuilder();
            for (int i = 0; i < SYLLABLES; i++) {
                name.append(syllables.get(CounterRandom.below(CounterRandom.seed(key, attempt), i, syllables.size())));
            }
            name.setCharAt(0, Character.toTitleCase(name.charAt(0)));
            if (taken.add(name.toString())) {
                return name.toString();
            }
        }
    }
}
