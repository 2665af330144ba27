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
import org.calm4j.calm.metric.VoteReliability;
import org.calm4j.calm.report.ReportData;
import org.calm4j.calm.report.TrainingLog;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/**
 * An experiment's files, read for its report.
 *
 * @param seconds how long stages took; null to leave that out, so that equal runs have equal reports
 */
record ExperimentReport(ExperimentConfig config, Map<String, Double> seconds, String device) {
    record Knowledge(String id, String language, boolean known) {
        Knowledge {
            required(id, "id");
            required(language, "language");
        }
    }

    private Path file(String name) {
        return config.output().resolve(name);
    }

    private Evaluation evaluation(String name) {
        return Json.read(file(name).resolve("eval.json"), Evaluation.class);
    }

    private List<Prediction> predictions(String name) {
        return Jsonl.read(file(name).resolve("predictions.jsonl"), Prediction.class);
    }

    private String group(String id, String group) {
        return group;
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
                notes(main),
                curve(),
                new ExperimentExamples(config).read(),
                extraction(),
                pairs(),
                new ExperimentWays(config).read());
    }

    private ReportData.Outcome outcome(String set) {
        Map<String, Evaluation> others = new LinkedHashMap<>();
        Map<String, Comparison> against = new LinkedHashMap<>();
        List<Prediction> after = predictions(set + "after");
        for (String name : config.arms().keySet()) {
            if (!name.startsWith(ExperimentConfig.CURVE)) {
                others.put(name, evaluation(set + name));
                against.put(name, Comparison.of(predictions(set + name), after, config.seed()));
            }
        }
        return new ReportData.Outcome(
                evaluation(set + "before"),
                evaluation(set + "after"),
                Comparison.of(predictions(set + "before"), after, config.seed()),
                others,
                against);
    }

    /** The model before is the one that no language taught. */
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

    private List<String> notes(ReportData.Outcome main) {
        List<String> notes = new ArrayList<>(List.of(
                "No label was used on the way: the vote alone decided what was chosen. Labels are used to measure, nowhere else"
                        + (config.arms().containsKey("truth") ? ", but for the arm that is called truth." : "."),
                "Agreement can also be agreement on a wrong answer; the table says how much of the consistency is agreement on the right "
                        + "one."));
        for (Map.Entry<String, Comparison> arm : main.against().entrySet()) {
            Comparison.Change accuracy = arm.getValue().accuracyMean();
            if (accuracy != null
                    && accuracy.interval() != null
                    && !(accuracy.interval().low() > 0)) {
                notes.add("CALM is "
                        + (accuracy.interval().high() < 0 ? "less accurate than " : "not clearly more accurate than ")
                        + arm.getKey()
                        + " on the main set.");
            }
        }
        return notes;
    }

    private List<TrainingLog> training() {
        List<TrainingLog> logs = new ArrayList<>();
        addLog(logs, "pretrain", config.model());
        addLog(logs, "dpo", file("calm"));
        config.arms().keySet().forEach(name -> addLog(logs, name, file(name)));
        return logs;
    }

    private static void addLog(List<TrainingLog> logs, String name, Path folder) {
        if (Files.exists(folder.resolve("metrics.jsonl"))) {
            logs.add(TrainingLog.read(name, folder.resolve("metrics.jsonl")));
        }
    }

    /** Null where no question has a known answer. The truth is read here for the first time. */
    VoteReliability vote() {
        Map<String, String> truth = new LinkedHashMap<>();
        Map<String, String> groups = new HashMap<>();
        for (Question question : Questions.read(config.questions())) {
            groups.put(question.id(), group(question.id(), question.group()));
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
                        before.question(),
                        before.choices(),
                        before.answer(),
                        was,
                        said(now),
                        null));
            }
        }
        // Neighbours in the file are of one language; the page shows the first of each kind.
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
        return known.contains(List.of(fact(prediction.id()), prediction.language()));
    }

    /** The id of a question is its fact's id and the number of the option set. */
    static String fact(String question) {
        int cut = question.lastIndexOf('-');
        return cut < 0 ? question : question.substring(0, cut);
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
        settings.put("temperature", config.sample().temperature());
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
