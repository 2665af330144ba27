package org.calm4j.calm.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.function.LongFunction;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.SeedSummary;
import org.calm4j.calm.metric.VoteReliability;
import org.calm4j.calm.report.Inside;
import org.calm4j.calm.report.LanguageGradients;
import org.calm4j.calm.report.Report;
import org.calm4j.calm.report.ReportData;
import org.calm4j.calm.report.SeedReport;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.ranks.Ranks;

/** One experiment with several seeds and their joint results. Figures cover what all of them measured. */
public final class SeedSeries {
    private static final String BEFORE = "before";
    private static final String AFTER = "after";

    private final Path output;
    private final List<ExperimentResult> experiments;
    /** By set of questions; cached because the bootstraps are slow. */
    private final Map<String, SeedSummary> summaries = new HashMap<>();

    private SeedReport report;

    /**
     * @param output folder for the report of all; null if it is only shown
     * @param experiments one a seed
     * @throws CalmException bad input: two with the same seed, or in other languages
     */
    private SeedSeries(Path output, List<ExperimentResult> experiments) {
        this.output = output;
        this.experiments = experiments;
        Map<Long, Path> places = new HashMap<>();
        for (ExperimentResult each : experiments) {
            Path other = places.putIfAbsent(each.config().seed(), each.config().output());
            if (other != null) {
                throw CalmException.badInput(
                        each.config().output(),
                        "has seed " + each.config().seed() + ", as " + other
                                + " has; give experiments with different seeds");
            }
            if (!each.languages().equals(experiments.getFirst().languages())) {
                throw CalmException.badInput(
                        each.config().output(),
                        "was measured in " + each.languages() + ", "
                                + experiments.getFirst().config().output() + " in "
                                + experiments.getFirst().languages());
            }
        }
    }

    /** The folder of one seed's experiment. */
    public static Path folder(Path output, long seed) {
        return output.resolve("seed-" + seed);
    }

    /**
     * Runs the unfinished stages of each seed's experiment, and writes the report of all; nothing runs if one of them cannot. Returns null on
     * other ranks than 0.
     */
    public static SeedSeries run(
            Path output, List<Long> seeds, LongFunction<Experiment> experiment, Progress progress) {
        List<Experiment> planned = seeds.stream().map(experiment::apply).toList();
        if (!Ranks.here().isFirst()) {
            planned.forEach(Experiment::run);
            return null;
        }
        planned.forEach(Experiment::check);
        try (OutputFolder _ = open(output, progress)) {
            return new SeedSeries(output, planned.stream().map(Experiment::run).toList()).write();
        }
    }

    private static OutputFolder open(Path output, Progress progress) {
        OutputFolder folder = OutputFolder.open(output, progress::say);
        try {
            List<Path> files = Stream.of(ExperimentResult.RESULT, Report.PAGE, Report.TABLES)
                    .map(output::resolve)
                    .toList();
            if (!folder.hasRecord() && !seeds(output).isEmpty()) {
                folder.adopt(files);
            }
            folder.refuseForeign(files);
            return folder;
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    /**
     * Finished experiments; a folder of several stands for all of them.
     *
     * @param output null to write nothing
     */
    public static SeedSeries read(List<Path> folders, Path output, Progress progress) {
        List<Path> each = new ArrayList<>();
        for (Path folder : folders) {
            List<Path> own = seeds(folder);
            each.addAll(own.isEmpty() ? List.of(folder) : own);
        }
        SeedSeries series =
                new SeedSeries(output, each.stream().map(ExperimentResult::read).toList());
        if (output == null) {
            return series;
        }
        try (OutputFolder _ = open(output, progress)) {
            return series.write();
        }
    }

    /** The experiments of a folder that has the results of several; empty for any other. */
    public static List<Path> seeds(Path folder) {
        Path result = folder.resolve(ExperimentResult.RESULT);
        List<Path> seeds = new ArrayList<>();
        if (Files.exists(result)) {
            Json.read(result, JsonNode.class)
                    .path("seeds")
                    .fieldNames()
                    .forEachRemaining(seed -> seeds.add(folder(folder, Long.parseLong(seed))));
        }
        return seeds;
    }

    private SeedSeries write() {
        Json.write(output.resolve(ExperimentResult.RESULT), figures());
        Report.write(report(), output);
        return this;
    }

    private ExperimentConfig first() {
        return experiments.getFirst().config();
    }

    private boolean allHaveHeldOut() {
        return experiments.stream().noneMatch(each -> each.config().heldOut().isEmpty());
    }

    /** The arms that all of them have, in the order of the first. */
    private List<String> arms() {
        return first().arms().keySet().stream()
                .filter(name -> experiments.stream()
                        .allMatch(each -> each.config().arms().containsKey(name)))
                .toList();
    }

    private Map<String, List<Evaluation>> evaluations(String set) {
        Map<String, List<Evaluation>> evaluations = new LinkedHashMap<>();
        Stream.concat(Stream.of(BEFORE, AFTER), arms().stream())
                .forEach(model -> evaluations.put(
                        model,
                        experiments.stream()
                                .map(each -> each.evaluation(set + model))
                                .toList()));
        return evaluations;
    }

    private SeedSummary summary(String set) {
        return summaries.computeIfAbsent(set, this::summarize);
    }

    private SeedSummary summarize(String set) {
        Map<String, List<Comparison>> against = new LinkedHashMap<>();
        Stream.concat(Stream.of(BEFORE), arms().stream())
                .forEach(model -> against.put(
                        model,
                        experiments.stream()
                                .map(each -> Comparison.of(
                                        each.predictions(set + model),
                                        each.predictions(set + AFTER),
                                        each.config().seed()))
                                .toList()));
        return SeedSummary.of(evaluations(set), against);
    }

    private SeedReport report() {
        if (report == null) {
            report = makeReport();
        }
        return report;
    }

    private SeedReport makeReport() {
        SeedSummary main = summary("eval-");
        SeedSummary heldOut = allHaveHeldOut() ? summary("held-out-") : null;
        List<SeedReport.Run> runs = experiments.stream()
                .map(each -> new SeedReport.Run(
                        each.config().seed(), link(each.config().output())))
                .toList();
        List<Double> votes = experiments.stream()
                .map(ExperimentResult::vote)
                .filter(Objects::nonNull)
                .map(VoteReliability::accuracy)
                .toList();
        return new SeedReport(
                first().title(),
                experiments.getFirst().languages(),
                runs,
                n("eval-"),
                withoutCurve(main),
                heldOut == null ? 0 : n("held-out-"),
                heldOut == null ? null : withoutCurve(heldOut),
                votes.size() < experiments.size() ? null : SeedSummary.Spread.of(votes),
                curve(main, heldOut),
                experiments.getFirst().armWords(),
                ways(),
                inside(),
                gradients());
    }

    /** Null unless all of them measured both ends of the training. */
    private SeedReport.Gradients gradients() {
        List<LanguageGradients> all = experiments.stream()
                .map(ExperimentResult::gradients)
                .filter(each -> each != null && each.change() != null)
                .toList();
        return all.size() < experiments.size()
                ? null
                : new SeedReport.Gradients(
                        gradients(all, each -> each.all().mean()),
                        gradients(all, each -> each.first().mean()),
                        gradients(all, each -> each.last().mean()),
                        gradients(all, each -> each.change().difference()));
    }

    private static SeedSummary.Spread gradients(
            List<LanguageGradients> all, ToDoubleFunction<LanguageGradients> figure) {
        return SeedSummary.Spread.of(all.stream().mapToDouble(figure).boxed().toList());
    }

    /** Those that all of them have. */
    private List<SeedReport.Inside> inside() {
        List<Map<String, Inside.Figure>> all = new ArrayList<>();
        for (ExperimentResult experiment : experiments) {
            Map<String, Inside.Figure> own = new LinkedHashMap<>();
            Inside inside = experiment.inside();
            if (inside != null) {
                inside.figures().forEach(figure -> own.put(figure.name(), figure));
            }
            all.add(own);
        }
        List<SeedReport.Inside> rows = new ArrayList<>();
        for (String name : all.getFirst().keySet()) {
            if (all.stream().allMatch(own -> own.containsKey(name))) {
                rows.add(new SeedReport.Inside(
                        name,
                        spread(all, name, Inside.Figure::before),
                        spread(all, name, Inside.Figure::after),
                        spread(all, name, figure -> figure.after() - figure.before())));
            }
        }
        return rows;
    }

    private static SeedSummary.Spread spread(
            List<Map<String, Inside.Figure>> all, String name, ToDoubleFunction<Inside.Figure> value) {
        return SeedSummary.Spread.of(
                all.stream().map(own -> value.applyAsDouble(own.get(name))).toList());
    }

    /** Null if one of them counts no ways, or other ways. */
    private SeedReport.Ways ways() {
        List<ReportData.Ways> all =
                experiments.stream().map(ExperimentResult::ways).toList();
        if (all.stream().anyMatch(Objects::isNull)) {
            return null;
        }
        Map<String, SeedSummary.Spread> habit = new LinkedHashMap<>();
        Stream.concat(Stream.of(BEFORE, AFTER), arms().stream())
                .filter(model -> !model.startsWith(ExperimentConfig.CURVE))
                .filter(model -> all.stream().allMatch(ways -> ways.habit().containsKey(model)))
                .forEach(model -> habit.put(
                        model, spread(all, ways -> ways.habit().get(model).share())));
        List<SeedReport.Asked> asked = new ArrayList<>();
        for (ReportData.Flow flow : all.getFirst().flows()) {
            Set<String> names = new LinkedHashSet<>();
            flow.before().values().forEach(own -> names.addAll(own.keySet()));
            names.forEach(way -> asked.add(new SeedReport.Asked(
                    flow.relation(),
                    way,
                    spread(all, ways -> share(ways, flow.relation(), way, ReportData.Flow::before)),
                    spread(all, ways -> share(ways, flow.relation(), way, ReportData.Flow::after)))));
        }
        return new SeedReport.Ways(habit, asked, known(all));
    }

    private static SeedSummary.Spread spread(List<ReportData.Ways> all, ToDoubleFunction<ReportData.Ways> figure) {
        return SeedSummary.Spread.of(all.stream().mapToDouble(figure).boxed().toList());
    }

    private static double share(
            ReportData.Ways ways,
            String relation,
            String way,
            Function<ReportData.Flow, Map<String, Map<String, Integer>>> when) {
        int taken = 0;
        int all = 0;
        for (ReportData.Flow flow : ways.flows()) {
            for (Map<String, Integer> own : when.apply(flow).values()) {
                boolean same = Objects.equals(relation, flow.relation());
                taken += same ? own.getOrDefault(way, 0) : 0;
                all += same ? own.values().stream().mapToInt(Integer::intValue).sum() : 0;
            }
        }
        return taken / (double) Math.max(1, all);
    }

    /** The kinds that occur with every seed. */
    private List<SeedReport.Known> known(List<ReportData.Ways> all) {
        List<SeedReport.Known> rows = new ArrayList<>();
        for (ReportData.Known first : all.getFirst().known()) {
            List<ReportData.Known> same = all.stream()
                    .flatMap(ways -> ways.known().stream())
                    .filter(each -> each.heldOut() == allHaveHeldOut()
                            && each.language() == first.language()
                            && each.hub() == first.hub())
                    .toList();
            if (first.heldOut() == allHaveHeldOut() && same.size() == all.size()) {
                rows.add(new SeedReport.Known(
                        first.language(),
                        first.hub(),
                        SeedSummary.Spread.of(
                                same.stream().map(ReportData.Known::before).toList()),
                        SeedSummary.Spread.of(
                                same.stream().map(ReportData.Known::after).toList()),
                        SeedSummary.Spread.of(same.stream()
                                .map(ReportData.Known::unansweredAfter)
                                .toList())));
            }
        }
        return rows;
    }

    private int n(String set) {
        return experiments.getFirst().evaluation(set + BEFORE).n();
    }

    private String link(Path folder) {
        Path page = folder.resolve("report.html");
        return output == null
                        || !Objects.equals(
                                output.toAbsolutePath().getRoot(),
                                page.toAbsolutePath().getRoot())
                ? null
                : output.toAbsolutePath()
                        .normalize()
                        .relativize(page.toAbsolutePath().normalize())
                        .toString()
                        .replace('\\', '/');
    }

    private static SeedSummary withoutCurve(SeedSummary summary) {
        Map<String, SeedSummary.Figures> models = new LinkedHashMap<>(summary.models());
        Map<String, SeedSummary.Gains> against = new LinkedHashMap<>(summary.against());
        models.keySet().removeIf(name -> name.startsWith(ExperimentConfig.CURVE));
        against.keySet().removeIf(name -> name.startsWith(ExperimentConfig.CURVE));
        return new SeedSummary(models, against);
    }

    private List<SeedReport.CurvePoint> curve(SeedSummary main, SeedSummary heldOut) {
        List<String> languages = first().languageCurve();
        List<SeedReport.CurvePoint> curve = new ArrayList<>();
        for (int n = 0; n <= languages.size() && !languages.isEmpty(); n++) {
            String model = n == 0 ? BEFORE : n == languages.size() ? AFTER : ExperimentConfig.CURVE + n;
            if (main.models().containsKey(model)) {
                curve.add(new SeedReport.CurvePoint(
                        languages.subList(0, n),
                        main.models().get(model),
                        heldOut == null ? null : heldOut.models().get(model)));
            }
        }
        return curve;
    }

    /** The report's tables. */
    public String markdown() {
        return Report.markdown(report());
    }

    /**
     * As one experiment's, with means over the seeds; {@code seeds} has each of them by itself, {@code over_seeds} means with deviations
     * and intervals, and CALM's gain over each of the others.
     */
    private ObjectNode figures() {
        ObjectNode result = means("eval-");
        ObjectNode over = Json.mapper().createObjectNode();
        over.set("main", Json.mapper().valueToTree(summary("eval-")));
        if (allHaveHeldOut()) {
            result.set("held_out", means("held-out-"));
            over.set("held_out", Json.mapper().valueToTree(summary("held-out-")));
        }
        SeedReport report = report();
        if (report.vote() != null) {
            result.put("vote_accuracy", report.vote().mean());
            over.set("vote_accuracy", Json.mapper().valueToTree(report.vote()));
        }
        result.set("over_seeds", over);
        ObjectNode seeds = result.putObject("seeds");
        for (ExperimentResult each : experiments) {
            seeds.set(String.valueOf(each.config().seed()), each.figures());
        }
        if (output != null) {
            result.put("report", output.resolve(Report.PAGE).toString());
            result.put("output", output.toString());
        }
        return result;
    }

    /** The same with the time that the stages took, over all seeds. */
    public ObjectNode json() {
        ObjectNode result = figures();
        Map<String, Double> seconds = new LinkedHashMap<>();
        for (ExperimentResult each : experiments) {
            each.seconds().forEach((stage, took) -> seconds.merge(stage, took, Double::sum));
        }
        result.set("seconds", Json.mapper().valueToTree(seconds));
        return result;
    }

    private ObjectNode means(String set) {
        ObjectNode means = Json.mapper().createObjectNode();
        evaluations(set).forEach((model, all) -> {
            ObjectNode node = means.putObject(model);
            ObjectNode accuracy = node.putObject("accuracy");
            all.getFirst()
                    .accuracy()
                    .keySet()
                    .forEach(language -> accuracy.put(
                            language,
                            all.stream()
                                    .mapToDouble(each -> each.accuracy().getOrDefault(language, Double.NaN))
                                    .average()
                                    .orElseThrow()));
            SeedSummary.Figures figures =
                    SeedSummary.of(Map.of(model, all), Map.of()).models().get(model);
            node.put(
                    "accuracy_mean",
                    figures.accuracyMean() == null
                            ? null
                            : figures.accuracyMean().mean());
            node.put(
                    "consistency",
                    figures.consistency() == null ? null : figures.consistency().mean());
            node.put("n", all.getFirst().n());
        });
        return means;
    }

    /** The last lines on the terminal. */
    public String summary() {
        SeedReport report = report();
        String heldOut =
                report.heldOut() == null ? "" : "held out: " + figures(report.heldOut()) + System.lineSeparator();
        return experiments.size() + " seeds: " + heldOut + figures(report.main()) + System.lineSeparator() + "report: "
                + output.resolve("report.html");
    }

    private static String figures(SeedSummary set) {
        SeedSummary.Figures before = set.models().get(BEFORE);
        SeedSummary.Figures after = set.models().get(AFTER);
        List<String> parts = new ArrayList<>();
        if (before.accuracyMean() != null) {
            parts.add("accuracy " + percent(before.accuracyMean()) + " → " + percent(after.accuracyMean()));
        }
        if (before.consistency() != null) {
            parts.add("consistency " + percent(before.consistency()) + " → " + percent(after.consistency()));
        }
        return String.join(", ", parts);
    }

    private static String percent(SeedSummary.Spread spread) {
        return spread.deviation() == null
                ? String.format(Locale.ROOT, "%.1f %%", 100 * spread.mean())
                : String.format(Locale.ROOT, "%.1f ± %.1f %%", 100 * spread.mean(), 100 * spread.deviation());
    }
}
