package org.calm4j.calm.cli;

import java.util.HashSet;
import java.util.List;
import org.calm4j.engine.CalmException;

/** The seeds of {@code --seeds}. */
final class Seeds {
    private Seeds() {}

    /** @throws CalmException wrong usage: one of them twice, or {@code --seed} given, too */
    static void check(List<Long> seeds, boolean alone) {
        if (!seeds.isEmpty() && alone) {
            throw CalmException.usage("give either --seed or --seeds");
        }
        if (new HashSet<>(seeds).size() < seeds.size()) {
            throw CalmException.usage("--seeds contains a seed twice");
        }
    }
}
