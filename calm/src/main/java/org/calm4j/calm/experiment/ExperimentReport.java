package org.calm4j.calm.experiment;

import static org.calm4j.engine.io.JsonProblem.required;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Questions;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.Interval;
import org.calm4j.calm.metric.VoteReliability;
import org.calm4j.calm.report.Inside;
import org.calm4j.calm.report.LanguageGradients;
import org.calm4j.calm.report.ReportData;
import org.calm4j.calm.report.TrainingLog;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/**
 * An experiment's files, read for its report.
 *
 * @param seconds the time of each stage; null to leave it out, so that equal runs have equal reports
 */
record ExperimentReport(ExperimentConfig config, Map<String, Double> seconds, String device) {
    record Knowledge(String id, String language, boolean known) {
        Knowledge {
            required(id, "id");
            required(language, "language");
        }
    }

    private ExperimentFiles files() {
        return new ExperimentFiles(config);
    }

    private Path file(String name) {
        return files().file(name);
    }

    private Evaluation evaluation(String name) {
        return files().evaluation(name);
    }

    private List<Prediction> predictions(String name) {
        return files().predictions(name);
    }

    ReportData data() {
        List<String> languages = List.copyOf(evaluation("eval-before").invalid().keySet());
        ReportData.Outcome main = outcome("eval-");
        ReportData.Outcome heldOut = config.heldOut().isEmpty() ? null : outcome("held-out-");
        return new ReportData(
                config.title(),
                languages,
                List.of(config.seed()),
                main,
                heldOut,
                training(),
                vote(),
                flips(),
                knowledge(),
                perplexity(),
                settings(),
                seconds,
                null,
                versions(),
                notes(main, heldOut),
                curve(),
                new ExperimentExamples(config).read(),
                extraction(),
                pairs(),
                new ExperimentWays(config).read(),
                isTrained(),
                arms(),
                inside());
    }

    /** Null where nothing was looked at. */
    Inside inside() {
        Path file = file(Experiment.INSIDE);
        return Files.exists(file) ? Json.read(file, Inside.class) : null;
    }

    /** Of CALM's own training; null where they were not measured. */
    LanguageGradients gradients() {
        Path metrics = file("calm").resolve("metrics.jsonl");
        return Files.exists(metrics) ? LanguageGradients.of(TrainingLog.read(TrainingLog.CALM, metrics)) : null;
    }

    private ReportData.Outcome outcome(String set) {
        Map<String, Evaluation> others = new LinkedHashMap<>();
        Map<String, Comparison> against = new LinkedHashMap<>();
        Map<String, Comparison> gains = new LinkedHashMap<>();
        List<Prediction> before = predictions(set + "before");
        List<Prediction> after = predictions(set + "after");
        for (String name : config.arms().keySet()) {
            if (!name.startsWith(ExperimentConfig.CURVE)) {
                List<Prediction> own = predictions(set + name);
                others.put(name, evaluation(set + name));
                against.put(name, Comparison.of(own, after, config.seed()));
                gains.put(name, Comparison.of(before, own, config.seed()));
            }
        }
        Set<String> facts = groups(before);
        return new ReportData.Outcome(
                evaluation(set + "before"),
                evaluation(set + "after"),
                Comparison.of(before, after, config.seed()),
                others,
                against,
                gains,
                facts.size());
    }

    /** A question without a group is one of its own. */
    private static Set<String> groups(List<Prediction> lines) {
        Set<String> groups = new LinkedHashSet<>();
        lines.forEach(line -> groups.add(line.group() == null ? line.id() : line.group()));
        return groups;
    }

    /** Whether the main set asks the questions that CALM was trained on, with other options or with the same. */
    private boolean isTrained() {
        Set<String> trained = new LinkedHashSet<>();
        for (Question question : Questions.read(config.questions())) {
            trained.add(group(question) == null ? question.id() : group(question));
        }
        return trained.containsAll(groups(predictions("eval-before")));
    }

    private String group(Question question) {
        return question.group() == null && config.knowledge() != null
                ? ExperimentFiles.fact(question.id(), null)
                : question.group();
    }

    /** How each arm differs, in words. */
    Map<String, String> arms() {
        Map<String, String> arms = new LinkedHashMap<>();
        config.arms().forEach((name, arm) -> arms.put(name, arm.words()));
        return arms;
    }

    /** The model before CALM is the one without voting languages. */
    private List<ReportData.CurvePoint> curve() {
        if (config.languageCurve().isEmpty()) {
            return List.of();
        }
        List<ReportData.CurvePoint> curve = new ArrayList<>();
        int all = config.languageCurve().size();
        for (int n = 0; n <= all; n++) {
            String name = n == 0 ? "before" : n == all ? "after" : ExperimentConfig.CURVE + n;
            curve.add(new ReportData.CurvePoint(
                    n,
                    config.languageCurve().subList(0, n),
                    evaluation("eval-" + name),
                    config.heldOut().isEmpty() ? null : evaluation("held-out-" + name)));
        }
        return curve;
    }

    private List<String> notes(ReportData.Outcome main, ReportData.Outcome heldOut) {
        List<String> notes = new ArrayList<>(List.of(
                "Training used no labels: the vote alone decided what was chosen. Labels are only used to measure"
                        + (config.arms().containsKey("truth") ? ", except in the arm called truth." : "."),
                "Agreement can also be agreement on a wrong answer; the other measures say how much of the consistency is "
                        + "agreement on the right one."));
        if (heldOut != null) {
            notes.addAll(notes(heldOut, "held-out questions"));
        }
        notes.addAll(notes(
                main, heldOut == null ? "these questions" : isTrained() ? "what it was trained on" : "the main set"));
        return notes;
    }

    /** The arms that CALM does not beat. */
    private List<String> notes(ReportData.Outcome set, String questions) {
        List<String> notes = new ArrayList<>();
        for (boolean worse : new boolean[] {true, false}) {
            List<String> names = set.against().entrySet().stream()
                    .filter(arm -> arm.getValue().accuracyMean() != null
                            && arm.getValue().accuracyMean().interval() != null)
                    .filter(arm -> {
                        Interval interval = arm.getValue().accuracyMean().interval();
                        return worse ? interval.high() < 0 : interval.low() <= 0 && interval.high() >= 0;
                    })
                    .map(Map.Entry::getKey)
                    .toList();
            if (!names.isEmpty()) {
                notes.add("On " + questions + " CALM is "
                        + (worse ? "less accurate than " : "not clearly more accurate than ")
                        + String.join(", ", names) + ".");
            }
        }
        return notes;
    }

    private List<TrainingLog> training() {
        List<TrainingLog> logs = new ArrayList<>();
        addLog(logs, "pretrain", config.model());
        addLog(logs, TrainingLog.CALM, file("calm"));
        config.arms().keySet().forEach(name -> addLog(logs, name, file(name)));
        return logs;
    }

    private static void addLog(List<TrainingLog> logs, String name, Path folder) {
        if (Files.exists(folder.resolve("metrics.jsonl"))) {
            logs.add(TrainingLog.read(name, folder.resolve("metrics.jsonl")));
        }
    }

    /** Null where no question has a known answer. The truth is read only here. */
    VoteReliability vote() {
        Map<String, String> truth = new LinkedHashMap<>();
        Map<String, String> groups = new HashMap<>();
        for (Question question : Questions.read(config.questions())) {
            groups.put(question.id(), group(question));
            if (question.answer() != null) {
                truth.put(question.id(), question.answer());
            }
        }
        return truth.isEmpty() ? null : VoteReliability.of(Jsonl.read(file("votes.jsonl"), Vote.class), truth, groups);
    }

    private List<ReportData.Flip> flips() {
        ExperimentExamples examples = new ExperimentExamples(config);
        Map<List<String>, Samples> after = new LinkedHashMap<>();
        examples.answers("after").forEach(line -> after.put(List.of(line.id(), line.language()), line));
        List<ReportData.Flip> flips = new ArrayList<>();
        for (Samples before : examples.answers("before")) {
            Samples now = after.get(List.of(before.id(), before.language()));
            ReportData.Said was = said(before);
            if (now != null && !Objects.equals(was.answer(), said(now).answer())) {
                flips.add(new ReportData.Flip(
                        before.id(),
                        before.language(),
                        before.asked().question(),
                        before.choices(),
                        before.answer(),
                        was,
                        said(now),
                        null));
            }
        }
        // Neighbours in the file are of the same language, and the page shows the first of each kind.
        Collections.shuffle(flips, new Random(config.seed()));
        return flips;
    }

    private static ReportData.Said said(Samples line) {
        return new ReportData.Said(
                line.responses().getFirst().text(), line.responses().getFirst().answer());
    }

    /** Accuracy on facts that the pretraining texts of the language state, and on those they don't. */
    private List<ReportData.Shift> knowledge() {
        if (config.knowledge() == null) {
            return List.of();
        }
        Set<List<String>> known = new LinkedHashSet<>();
        for (Knowledge line : Jsonl.read(config.knowledge(), Knowledge.class)) {
            if (line.known()) {
                known.add(List.of(line.id(), line.language()));
            }
        }
        List<ReportData.Shift> shifts = new ArrayList<>();
        for (boolean wanted : new boolean[] {true, false}) {
            String name = wanted ? "stated in the language's texts" : "never stated in the language";
            shifts.add(shift(name, known, wanted, "eval-"));
            if (!config.heldOut().isEmpty()) {
                shifts.add(shift(name + ", held out", known, wanted, "held-out-"));
            }
        }
        return shifts;
    }

    private ReportData.Shift shift(String name, Set<List<String>> known, boolean wanted, String set) {
        List<Prediction> before = predictions(set + "before").stream()
                .filter(p -> isKnown(p, known) == wanted)
                .toList();
        List<Prediction> after = predictions(set + "after").stream()
                .filter(p -> isKnown(p, known) == wanted)
                .toList();
        return new ReportData.Shift(name, before.size(), share(before), share(after));
    }

    private static boolean isKnown(Prediction prediction, Set<List<String>> known) {
        return known.contains(
                List.of(ExperimentFiles.fact(prediction.id(), prediction.group()), prediction.language()));
    }

    private static double share(List<Prediction> predictions) {
        return predictions.stream()
                        .filter(p -> p.answer() != null && p.answer().equals(p.prediction()))
                        .count()
                / (double) Math.max(1, predictions.size());
    }

    private List<ReportData.Shift> perplexity() {
        if (config.statements() == null) {
            return List.of();
        }
        JsonNode before = Json.read(file("perplexity-before.json"), JsonNode.class);
        JsonNode after = Json.read(file("perplexity-after.json"), JsonNode.class);
        List<ReportData.Shift> shifts = new ArrayList<>();
        before.fieldNames()
                .forEachRemaining(language -> shifts.add(new ReportData.Shift(
                        "statements, " + language,
                        before.path(language).path("n").asInt(),
                        before.path(language).path("perplexity").asDouble(),
                        after.path(language).path("perplexity").asDouble())));
        return shifts;
    }

    private Map<String, ReportData.Extracted> extraction() {
        return ExtractionCounts.of(Jsonl.read(file("samples.jsonl"), Samples.class));
    }

    /** Empty where an earlier version of the program made the pairs. */
    private Map<String, ReportData.Paired> pairs() {
        Path counts = file(Experiment.PAIR_COUNTS);
        return !Files.exists(counts)
                ? Map.of()
                : Json.mapper()
                        .convertValue(
                                Json.read(counts, JsonNode.class).path("languages"),
                                new TypeReference<LinkedHashMap<String, ReportData.Paired>>() {});
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("seed", config.seed());
        settings.put("responses per question", config.sample().responses());
        settings.put("temperature", config.sample().filter().temperature());
        settings.put("pairs", ExperimentResult.lines(file("pairs.jsonl")));
        Map<String, Object> trained = Json.mapper()
                .convertValue(
                        Json.read(file("calm").resolve("train_config.json"), JsonNode.class),
                        new TypeReference<Map<String, Object>>() {});
        for (String name : List.of(
                "steps",
                "batch_size",
                "learning_rate",
                "lr_scheduler",
                "beta",
                "loss_type",
                "loss_weights",
                "lora_rank",
                "replay_batch_size",
                "replay_weight")) {
            if (trained.get(name) != null) {
                settings.put(name, trained.get(name));
            }
        }
        return settings;
    }

    private Map<String, String> versions() {
        Map<String, String> versions = new TreeMap<>();
        versions.put("device", device);
        versions.put("JDK", Runtime.version().toString());
        return versions;
    }
}
