package org.calm4j.calm.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.ResponseKind;
import org.calm4j.calm.metric.VoteReliability;
import org.calm4j.calm.report.Inside;
import org.calm4j.calm.report.LanguageGradients;
import org.calm4j.calm.report.Report;
import org.calm4j.calm.report.ReportData;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.StagePlan;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputFolder;

/** The results of an experiment, read back from its files: the report, and {@code result.json} for scripts. */
public record ExperimentResult(ExperimentConfig config, Map<String, Double> seconds, String device) {
    static final String RESULT = "result.json";
    private static final String CONFIG = "experiment.json";

    private Path file(String name) {
        return config.output().resolve(name);
    }

    private Set<String> arms() {
        return config.arms().keySet();
    }

    /** The files of an experiment besides the outputs of its stages. */
    static List<Path> files(Path output) {
        return Stream.of(CONFIG, RESULT, StagePlan.TIMINGS, Report.PAGE, Report.TABLES)
                .map(output::resolve)
                .toList();
    }

    /**
     * Writes {@code report.html}, {@code report.md} and {@code result.json}.
     *
     * @param times whether the report shows the time of each stage, which differs from run to run
     */
    ExperimentResult write(boolean times) {
        Json.write(file(CONFIG), config);
        Json.write(file(RESULT), figures().put("device", device));
        Report.write(new ExperimentReport(config, times ? seconds : null, device).data(), config.output());
        return this;
    }

    /**
     * Rewrites the report of a finished experiment, and returns its result.
     *
     * @param times whether the report shows the time of each stage
     */
    public static ExperimentResult rewrite(Path folder, boolean times, Progress progress) {
        ExperimentResult result = read(folder);
        try (OutputFolder output = OutputFolder.open(folder, progress::say)) {
            if (!output.hasRecord()) {
                output.adopt(files(folder));
            }
            output.refuseForeign(files(folder));
            return result.write(times);
        }
    }

    /** @throws CalmException bad input: the folder has no finished experiment */
    static ExperimentResult read(Path folder) {
        if (!Files.exists(folder.resolve(RESULT))) {
            throw CalmException.badInput(
                    folder, "does not contain a finished experiment; calm run and calm demo make one");
        }
        ExperimentConfig config = Json.read(folder.resolve(CONFIG), ExperimentConfig.class);
        JsonNode result = Json.read(folder.resolve(RESULT), JsonNode.class);
        Map<String, Double> seconds = new LinkedHashMap<>();
        // An earlier version of the program kept them here.
        result.path("seconds")
                .properties()
                .forEach(stage -> seconds.put(stage.getKey(), stage.getValue().asDouble()));
        seconds.putAll(StageLedger.read(folder.resolve(StagePlan.TIMINGS)));
        return new ExperimentResult(
                config.with(config.seed(), folder),
                seconds,
                result.path("device").asText());
    }

    /** The report's tables. */
    public String markdown() {
        return Report.markdown(new ExperimentReport(config, null, device).data());
    }

    /** The main figures, as {@code demo --json} and {@code run --json} print them. */
    public ObjectNode json() {
        ObjectNode result = figures();
        result.set("seconds", Json.mapper().valueToTree(seconds));
        return result;
    }

    /** The same without what differs from run to run. */
    ObjectNode figures() {
        ObjectNode result = outcome("eval-");
        if (!config.heldOut().isEmpty()) {
            result.set("held_out", outcome("held-out-"));
        }
        VoteReliability vote = vote();
        if (vote != null) {
            result.put("vote_accuracy", vote.accuracy());
        }
        result.put("report", file("report.html").toString());
        result.put("output", config.output().toString());
        return result;
    }

    private ObjectNode outcome(String set) {
        ObjectNode outcome = JsonNodeFactory.instance.objectNode();
        List<String> names = new ArrayList<>(List.of("before", "after"));
        names.addAll(arms());
        for (String name : names) {
            Evaluation evaluation = evaluation(set + name);
            ObjectNode node = outcome.putObject(name);
            node.set("accuracy", Json.mapper().valueToTree(evaluation.accuracy()));
            node.put("accuracy_mean", evaluation.accuracyMean());
            node.put("consistency", evaluation.consistency());
            node.put("n", evaluation.n());
            node.put("unanswered", evaluation.unanswered());
            node.set("confidence_intervals", Json.mapper().valueToTree(evaluation.intervals()));
            Map<String, ResponseKind> kinds = new ExperimentWays(config).kinds(set, name);
            if (kinds != null) {
                node.set("patterns", Json.mapper().valueToTree(kinds));
            }
        }
        return outcome;
    }

    Evaluation evaluation(String name) {
        return new ExperimentFiles(config).evaluation(name);
    }

    List<Prediction> predictions(String name) {
        return new ExperimentFiles(config).predictions(name);
    }

    /** The languages that it was measured in. */
    List<String> languages() {
        return List.copyOf(evaluation("eval-before").invalid().keySet());
    }

    /** Null where no question has a known answer. */
    VoteReliability vote() {
        return new ExperimentReport(config, seconds, device).vote();
    }

    /** Null without patterns. */
    ReportData.Ways ways() {
        return new ExperimentWays(config).read();
    }

    /** Null where nothing was looked at. */
    Inside inside() {
        return new ExperimentReport(config, seconds, device).inside();
    }

    /** Null where they were not measured. */
    LanguageGradients gradients() {
        return new ExperimentReport(config, seconds, device).gradients();
    }

    Map<String, String> armWords() {
        return new ExperimentReport(config, seconds, device).arms();
    }

    static int lines(Path file) {
        try (var lines = Files.lines(file)) {
            return Math.toIntExact(lines.count());
        } catch (IOException e) {
            throw CalmException.failed(file + ": " + e.getMessage(), e);
        }
    }

    /** The last lines on the terminal. */
    public String summary() {
        String heldOut = config.heldOut().isEmpty() ? "" : "held out: " + figures("held-out-") + System.lineSeparator();
        return heldOut + figures("eval-") + System.lineSeparator() + waysLine() + "report: " + file("report.html");
    }

    /** The shares of the kinds of responses, on the held-out set where there is one; a line of its own, or nothing. */
    private String waysLine() {
        ExperimentWays ways = new ExperimentWays(config);
        String set = config.heldOut().isEmpty() ? "eval-" : "held-out-";
        Map<String, ResponseKind> before = ways.kinds(set, "before");
        Map<String, ResponseKind> after = ways.kinds(set, "after");
        if (before == null || after == null) {
            return "";
        }
        Set<String> names = new LinkedHashSet<>(before.keySet());
        names.addAll(after.keySet());
        return (config.heldOut().isEmpty() ? "" : "held out: ")
                + names.stream()
                        .map(name -> String.format(
                                Locale.ROOT, "%s %.1f %% → %.1f %%", name, share(before, name), share(after, name)))
                        .collect(Collectors.joining(", "))
                + System.lineSeparator();
    }

    private static double share(Map<String, ResponseKind> kinds, String name) {
        return kinds.containsKey(name) ? 100 * kinds.get(name).share() : 0;
    }

    private String figures(String set) {
        Evaluation before = evaluation(set + "before");
        Evaluation after = evaluation(set + "after");
        List<String> parts = new ArrayList<>();
        if (before.accuracyMean() != null) {
            parts.add(String.format(
                    Locale.ROOT,
                    "accuracy %.1f %% → %.1f %%",
                    100 * before.accuracyMean(),
                    100 * after.accuracyMean()));
        }
        if (before.consistency() != null) {
            parts.add(String.format(
                    Locale.ROOT,
                    "consistency %.1f %% → %.1f %%",
                    100 * before.consistency(),
                    100 * after.consistency()));
        }
        return String.join(", ", parts);
    }
}
