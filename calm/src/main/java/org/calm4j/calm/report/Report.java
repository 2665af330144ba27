package org.calm4j.calm.report;

import com.fasterxml.jackson.core.type.TypeReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;

/** The report of an experiment: {@code report.html}, one file that needs no network, and {@code report.md}, its tables for a terminal. */
public final class Report {
    private static final int WAY_COLORS = 6;
    private static final int MOST_FLOWS = 4;

    public static final String PAGE = "report.html";
    public static final String TABLES = "report.md";

    private Report() {}

    /**
     * @return report.html
     * @throws org.calm4j.engine.CalmException bad input where the folder cannot be written to
     */
    public static Path write(ReportData data, Path folder) {
        return write(html(data), markdown(data), folder);
    }

    /** The same for several seeds. */
    public static Path write(SeedReport data, Path folder) {
        return write(html(data), markdown(data), folder);
    }

    private static Path write(String html, String markdown, Path folder) {
        Path page = folder.resolve(PAGE);
        AtomicFile.directories(folder);
        AtomicFile.write(folder.resolve(TABLES), out -> out.write(markdown.getBytes(StandardCharsets.UTF_8)));
        AtomicFile.write(page, out -> out.write(html.getBytes(StandardCharsets.UTF_8)));
        return page;
    }

    /** The tables as Markdown. */
    public static String markdown(ReportData data) {
        return markdown("report.md.jinja", values(data));
    }

    /** The same for several seeds. */
    public static String markdown(SeedReport data) {
        return markdown("seeds.md.jinja", fields(data));
    }

    private static String markdown(String template, Map<String, Object> values) {
        return Template.render(template, values).replaceAll("\n{3,}", "\n\n").strip() + "\n";
    }

    static String html(SeedReport data) {
        Map<String, Object> values = fields(data);
        values.put("style", Charts.style());
        return Template.render("seeds.html.jinja", values);
    }

    static String html(ReportData data) {
        Map<String, Object> values = values(data);
        values.put("style", Charts.style());
        values.put("charts_library", Charts.library());
        values.put("script", Charts.script() + Template.resource("report.js"));
        values.put("charts", embedded(charts(data)));
        return Template.render("report.html.jinja", values);
    }

    // Names in the templates are the names in our JSON files.
    private static Map<String, Object> fields(Object data) {
        return Json.mapper().convertValue(data, new TypeReference<LinkedHashMap<String, Object>>() {});
    }

    private static Map<String, Object> values(ReportData data) {
        Map<String, Object> values = fields(data);
        values.put("chance", fields(Chance.of(data.examples())));
        inOrder(values, "extraction", data.languages());
        inOrder(values, "pairs", data.languages());
        if (values.get("vote") instanceof Map<?, ?>) {
            Map<String, Object> vote = fields(data.vote());
            inOrder(vote, "alone", data.languages());
            inOrder(vote, "without", data.languages());
            values.put("vote", vote);
        }
        if (data.perplexity() != null) {
            // Their names end with the language.
            values.put(
                    "perplexity",
                    Json.mapper()
                            .convertValue(
                                    data.perplexity().stream()
                                            .sorted(Comparator.comparingInt(row -> data.languages()
                                                    .indexOf(row.name()
                                                            .substring(
                                                                    row.name().lastIndexOf(' ') + 1))))
                                            .toList(),
                                    new TypeReference<List<Object>>() {}));
        }
        values.put("unit", data.knowledge() == null || data.knowledge().isEmpty() ? "groups" : "facts");
        values.put("main_name", data.trained() ? "Trained" : "Main set");
        values.put(
                "sets",
                Stream.of("held_out", "eval")
                        .map(values::get)
                        .filter(Objects::nonNull)
                        .toList());
        Stream.ofNullable(data.arms())
                .flatMap(arms -> arms.entrySet().stream())
                .filter(arm ->
                        arm.getValue().contains("a control") && data.eval().gains() != null)
                .filter(arm -> data.eval().gains().containsKey(arm.getKey()))
                .forEach(arm -> values.put("control", arm.getKey()));
        if (data.ways() != null) {
            ways(values, data.ways());
        }
        if (data.inside() != null) {
            inside(values, data.inside());
        }
        LanguageGradients gradients = gradients(data);
        if (gradients != null) {
            values.put("gradients", fields(gradients));
        }
        values.remove("training");
        values.remove("flips");
        if (data.flips() != null && !data.flips().isEmpty()) {
            values.put(
                    "flips",
                    Json.mapper()
                            .convertValue(
                                    Flips.of(data.flips()), new TypeReference<LinkedHashMap<String, Object>>() {}));
        }
        if (data.training() != null && !data.training().isEmpty()) {
            values.put(
                    "training", data.training().stream().map(TrainingLog::name).toList());
        }
        if (data.seconds() != null) {
            values.put(
                    "seconds_total",
                    data.seconds().values().stream()
                            .mapToDouble(Double::doubleValue)
                            .sum());
            values.put(
                    "seconds_longest",
                    data.seconds().values().stream()
                            .mapToDouble(Double::doubleValue)
                            .max()
                            .orElse(1));
        }
        return values;
    }

    /** Of CALM's own training; null where they were not measured. */
    private static LanguageGradients gradients(ReportData data) {
        return Stream.ofNullable(data.training())
                .flatMap(List::stream)
                .filter(log -> log.name().equals(TrainingLog.CALM))
                .findFirst()
                .map(LanguageGradients::of)
                .orElse(null);
    }

    private static void inside(Map<String, Object> values, Inside inside) {
        int layer = inside.mostAlike();
        if (layer >= 0) {
            values.put(
                    "alike",
                    Map.of(
                            "layer", layer,
                            "before", fields(inside.similarity().get("before").get(layer)),
                            "after", fields(inside.similarity().get("after").get(layer))));
        }
        List<Map<String, Object>> rescues = new ArrayList<>();
        Stream.ofNullable(inside.rescue())
                .flatMap(all -> all.entrySet().stream())
                .forEach(each -> {
                    Inside.Rescue rescue = each.getValue();
                    int best = rescue.best();
                    rescues.add(Map.of(
                            "model", each.getKey(),
                            "source", rescue.source(),
                            "n", rescue.n(),
                            "layer", best,
                            "right", rescue.right().get(best),
                            "control", rescue.control().get(best),
                            "p_value", rescue.pValues().get(best)));
                });
        values.put("rescues", rescues);
    }

    private static void ways(Map<String, Object> values, ReportData.Ways ways) {
        Set<String> names = new LinkedHashSet<>();
        ways.eval().values().forEach(kinds -> names.addAll(kinds.keySet()));
        Map<String, Integer> numbers = new LinkedHashMap<>();
        names.forEach(name -> numbers.put(name, numbers.size() % WAY_COLORS));
        values.put("way_color", numbers);
        // Kinds of questions, as the columns of the tables of ways.
        values.put(
                "relations",
                ways.eval().values().stream()
                        .flatMap(kinds -> kinds.values().stream())
                        .filter(kind -> kind.byRelation() != null)
                        .flatMap(kind -> kind.byRelation().keySet().stream())
                        .distinct()
                        .toList());
        List<Map<String, Object>> flows = new ArrayList<>();
        Stream.ofNullable(ways.flows()).flatMap(List::stream).limit(MOST_FLOWS).forEach(flow -> {
            Set<String> taken = FlowChart.taken(flow, names);
            Map<String, Object> drawn = fields(flow);
            drawn.put("ways", taken);
            drawn.put("before", shares(flow.before()));
            drawn.put("after", shares(flow.after()));
            drawn.put(
                    "charts",
                    fields(Map.of(
                            "before", FlowChart.of(flow.before(), taken), "after", FlowChart.of(flow.after(), taken))));
            flows.add(drawn);
        });
        values.put("flows", flows);
        if (ways.known() != null && !ways.known().isEmpty()) {
            List<ReportData.Known> own = ways.known().stream()
                    .filter(known -> known.heldOut() == ways.known().getFirst().heldOut())
                    .toList();
            values.put("known", Json.mapper().convertValue(own, new TypeReference<List<Object>>() {}));
            List<ReportData.Known> local =
                    own.stream().filter(ReportData.Known::language).toList();
            values.put("local_n", local.stream().mapToInt(ReportData.Known::n).sum());
            values.put(
                    "local_lost",
                    local.stream().mapToInt(ReportData.Known::lost).sum());
            values.put(
                    "local_overridden",
                    local.stream().mapToInt(ReportData.Known::overridden).sum());
        }
    }

    private static Map<String, Object> shares(Map<String, Map<String, Integer>> counts) {
        Map<String, Object> shares = new LinkedHashMap<>();
        counts.forEach((language, ways) -> {
            double all = ways.values().stream().mapToInt(Integer::intValue).sum();
            Map<String, Double> own = new LinkedHashMap<>();
            ways.forEach((way, count) -> own.put(way, count / all));
            shares.put(language, own);
        });
        return shares;
    }

    // The page has the languages in one order everywhere; languages missing there come last.
    private static void inOrder(Map<String, Object> values, String name, List<String> languages) {
        if (values.get(name) instanceof Map<?, ?> byLanguage) {
            Map<Object, Object> ordered = new LinkedHashMap<>();
            languages.stream()
                    .filter(byLanguage::containsKey)
                    .forEach(language -> ordered.put(language, byLanguage.get(language)));
            byLanguage.forEach(ordered::putIfAbsent);
            values.put(name, ordered);
        }
    }

    private static Map<String, Object> charts(ReportData data) {
        Map<String, Object> charts = new LinkedHashMap<>();
        Map<String, String> names = new LinkedHashMap<>();
        data.languages().forEach(code -> names.put(code, TextFilter.languageName(code)));
        charts.put("languages", names);
        charts.put("main", data.trained() ? "Trained" : "Main set");
        Map<String, Object> outcomes = new LinkedHashMap<>();
        outcomes.put("eval", data.eval());
        outcomes.put("held_out", data.heldOut());
        charts.put("outcomes", outcomes);
        charts.put("chance", Chance.of(data.examples()));
        charts.put("vote", data.vote());
        charts.put("curve", data.curve());
        charts.put("inside", data.inside());
        charts.put("gradients", gradients(data));
        charts.put(
                "training",
                Stream.ofNullable(data.training())
                        .flatMap(List::stream)
                        .map(TrainingLog::thinned)
                        .toList());
        return charts;
    }

    // "<" occurs in JSON only inside strings; escaped, no text can end the script element or open a comment.
    private static String embedded(Object value) {
        return Json.compact(value).replace("<", "\\u003c");
    }
}
