package org.calm4j.engine.inspect;

import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Excerpt;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.HookPoint;

/** The hook points of a model by their names. */
public final class HookNames {
    private static final int NEAR = 3;

    private HookNames() {}

    /**
     * The points whose names match a pattern, in the order of the forward pass.
     *
     * @param pattern a name, in which {@code *} stands for any characters, such as {@code blocks.*.hook_resid_post}
     * @throws CalmException wrong usage: it matches none; names those that are near
     */
    public static List<HookPoint.At> matching(ModelConfig config, String pattern) {
        Pattern regex = Pattern.compile(Pattern.compile("*", Pattern.LITERAL)
                .splitAsStream(pattern + " ")
                .map(Pattern::quote)
                .collect(Collectors.joining(".*")));
        List<HookPoint.At> all = HookPoint.all(config);
        List<HookPoint.At> found = all.stream()
                .filter(at -> regex.matcher(at.name() + " ").matches())
                .toList();
        if (found.isEmpty()) {
            var distance = LevenshteinDistance.getDefaultInstance();
            String near = all.stream()
                    .map(HookPoint.At::name)
                    .sorted(Comparator.comparingInt(name -> distance.apply(name, pattern)))
                    .limit(NEAR)
                    .collect(Collectors.joining(", "));
            throw CalmException.usage("no hook point is called " + Excerpt.of(pattern) + "; near it are " + near);
        }
        return found;
    }
}
