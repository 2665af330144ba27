package org.calm4j.calm.report;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Who asks whom, as a drawing: languages on the left, ways on the right, ribbons as wide as their share. Lengths are SVG units.
 *
 * @param languages those asked in
 * @param ways those taken by any
 */
record FlowChart(double height, List<Node> languages, List<Node> ways, List<Ribbon> ribbons) {
    private static final double LEFT = 104;
    private static final double RIGHT = 220;
    private static final double LANGUAGE = 24;
    private static final double GAP = 7;
    /** Two lines of text. */
    private static final double LABEL = 34;

    /** @param share of the responses in all languages */
    record Node(String name, double y, double height, double share) {}

    /** @param share of the responses in this language */
    record Ribbon(String language, String way, double share, String path) {}

    /**
     * @param counts language to the way taken, to how many responses took it
     * @param ways in their order; those taken neither before nor after are left out
     */
    static FlowChart of(Map<String, Map<String, Integer>> counts, Collection<String> ways) {
        double all = counts.values().stream()
                .flatMap(own -> own.values().stream())
                .mapToInt(Integer::intValue)
                .sum();
        double reach = counts.size() * (LANGUAGE + GAP) - GAP;
        double unit = counts.size() * LANGUAGE / all;
        Map<String, Integer> sums = new LinkedHashMap<>();
        ways.forEach(way -> sums.put(
                way,
                counts.values().stream()
                        .mapToInt(own -> own.getOrDefault(way, 0))
                        .sum()));
        double needed = sums.values().stream()
                .mapToDouble(sum -> Math.max(LABEL, sum * unit) + GAP)
                .sum();
        double height = Math.max(reach, needed - GAP);
        Map<String, Node> asked = new LinkedHashMap<>();
        double y = (height - needed + GAP) / 2;
        for (Map.Entry<String, Integer> each : sums.entrySet()) {
            double tall = each.getValue() * unit;
            double slot = Math.max(LABEL, tall);
            asked.put(each.getKey(), new Node(each.getKey(), y + (slot - tall) / 2, tall, each.getValue() / all));
            y += slot + GAP;
        }
        Map<String, Double> filled = new LinkedHashMap<>();
        asked.forEach((way, node) -> filled.put(way, node.y()));
        List<Node> asking = new ArrayList<>();
        List<Ribbon> ribbons = new ArrayList<>();
        double top = (height - reach) / 2;
        for (Map.Entry<String, Map<String, Integer>> each : counts.entrySet()) {
            double sum = each.getValue().values().stream()
                    .mapToInt(Integer::intValue)
                    .sum();
            asking.add(new Node(each.getKey(), top, sum * unit, sum / all));
            double from = top;
            for (String way : ways) {
                int count = each.getValue().getOrDefault(way, 0);
                if (count > 0) {
                    double to = filled.get(way);
                    ribbons.add(new Ribbon(each.getKey(), way, count / sum, path(from, to, count * unit)));
                    from += count * unit;
                    filled.put(way, to + count * unit);
                }
            }
            top += sum * unit + GAP;
        }
        return new FlowChart(height, asking, List.copyOf(asked.values()), ribbons);
    }

    /** The ways that are taken at all, in their order. */
    static Set<String> taken(ReportData.Flow flow, Collection<String> order) {
        Set<String> taken = new LinkedHashSet<>();
        for (String way : order) {
            boolean any = flow.before().values().stream().anyMatch(own -> own.getOrDefault(way, 0) > 0)
                    || flow.after().values().stream().anyMatch(own -> own.getOrDefault(way, 0) > 0);
            if (any) {
                taken.add(way);
            }
        }
        return taken;
    }

    private static String path(double from, double to, double wide) {
        double middle = (LEFT + RIGHT) / 2;
        return String.format(
                Locale.ROOT,
                "M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1fv%.1fC%.1f %.1f %.1f %.1f %.1f %.1fz",
                LEFT,
                from,
                middle,
                from,
                middle,
                to,
                RIGHT,
                to,
                wide,
                middle,
                to + wide,
                middle,
                from + wide,
                LEFT,
                from + wide);
    }
}
