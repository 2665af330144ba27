package org.calm4j.calm.experiment;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.MajorityVote;
import org.calm4j.calm.metric.ResponseKind;
import org.calm4j.calm.report.ReportData;
import org.calm4j.calm.vote.SampleFiles;
import org.calm4j.engine.io.Jsonl;

/** How the responses of an experiment come to their answers, before and after, and in each arm. */
record ExperimentWays(ExperimentConfig config) {
    /** Examples of each change. */
    private static final int MOST = 3;

    private Path file(String name) {
        return config.output().resolve(name);
    }

    /** Empty where a model wrote none, as where choices are ranked. */
    private List<Samples> responses(String evaluation) {
        Path responses = file(evaluation).resolve("responses.jsonl");
        return Files.exists(responses) ? Jsonl.read(responses, Samples.class) : List.of();
    }

    /** Null where the experiment has no patterns, or no responses. */
    ReportData.Ways read() {
        if (config.patterns() == null || responses("eval-before").isEmpty()) {
            return null;
        }
        boolean heldOut = !config.heldOut().isEmpty();
        List<ReportData.Known> known = new ArrayList<>(heldOut ? known("held-out-", true) : List.of());
        known.addAll(known("eval-", false));
        return new ReportData.Ways(
                config.patterns()
                        .count(
                                SampleFiles.read(
                                        config.samples().isEmpty() ? List.of(file("samples.jsonl")) : config.samples()),
                                Jsonl.read(file("votes.jsonl"), Vote.class)),
                kinds("eval-"),
                heldOut ? kinds("held-out-") : Map.of(),
                known,
                changed(heldOut ? "held-out-" : "eval-"));
    }

    /** Kinds of the responses of one evaluation; null without patterns or responses. */
    Map<String, ResponseKind> kinds(String set, String model) {
        List<Samples> lines = config.patterns() == null ? List.of() : responses(set + model);
        return lines.isEmpty() ? null : config.patterns().count(lines, null);
    }

    private Map<String, Map<String, ResponseKind>> kinds(String set) {
        Map<String, Map<String, ResponseKind>> kinds = new LinkedHashMap<>();
        List<String> models = new ArrayList<>(List.of("before", "after"));
        models.addAll(config.arms().keySet());
        models.forEach(model -> kinds.put(model, kinds(set, model)));
        return kinds;
    }

    /** Responses to the same questions before and after, with the same known of them. */
    private final class Group {
        private final List<Samples> before = new ArrayList<>();
        private final List<Samples> after = new ArrayList<>();
    }

    private List<ReportData.Known> known(String set, boolean heldOut) {
        if (config.knowledge() == null) {
            return List.of();
        }
        Map<List<String>, Boolean> known = new HashMap<>();
        Jsonl.read(config.knowledge(), ExperimentReport.Knowledge.class)
                .forEach(line -> known.put(List.of(line.id(), line.language()), line.known()));
        Map<List<String>, Samples> after = byPlace(responses(set + "after"));
        Map<List<Boolean>, Group> groups = new LinkedHashMap<>();
        for (boolean language : new boolean[] {true, false}) {
            for (boolean hub : new boolean[] {true, false}) {
                groups.put(List.of(language, hub), new Group());
            }
        }
        List<Samples> before = responses(set + "before");
        List<String> hubs = config.hubs() != null
                ? config.hubs()
                : before.stream().map(Samples::language).distinct().toList();
        for (Samples line : before) {
            String fact = ExperimentReport.fact(line.id());
            boolean own = known.getOrDefault(List.of(fact, line.language()), false);
            boolean helped = hubs.stream()
                    .anyMatch(hub -> !hub.equals(line.language()) && known.getOrDefault(List.of(fact, hub), false));
            Group group = groups.get(List.of(own, helped));
            group.before.add(line);
            group.after.add(after.get(List.of(line.id(), line.language())));
        }
        List<ReportData.Known> rows = new ArrayList<>();
        groups.forEach((key, group) -> {
            if (!group.before.isEmpty()) {
                rows.add(new ReportData.Known(
                        heldOut,
                        key.getFirst(),
                        key.getLast(),
                        group.before.size(),
                        right(group.before),
                        right(group.after),
                        unanswered(group.before),
                        unanswered(group.after),
                        shares(group.before),
                        shares(group.after)));
            }
        });
        return rows;
    }

    private static Map<List<String>, Samples> byPlace(List<Samples> lines) {
        Map<List<String>, Samples> byPlace = new HashMap<>();
        lines.forEach(line -> byPlace.put(List.of(line.id(), line.language()), line));
        return byPlace;
    }

    private static double right(List<Samples> lines) {
        return lines.stream()
                        .filter(line -> line.answer() != null
                                && line.answer()
                                        .equals(MajorityVote.prediction(line).prediction()))
                        .count()
                / (double) lines.size();
    }

    private static double unanswered(List<Samples> lines) {
        return lines.stream()
                        .filter(line -> MajorityVote.prediction(line).prediction() == null)
                        .count()
                / (double) lines.size();
    }

    private Map<String, Double> shares(List<Samples> lines) {
        Map<String, Double> shares = new LinkedHashMap<>();
        config.patterns().count(lines, null).forEach((name, kind) -> shares.put(name, kind.share()));
        return shares;
    }

    /** Some of each change, those that became right first. */
    private List<ReportData.Changed> changed(String set) {
        Map<List<String>, Samples> after = byPlace(responses(set + "after"));
        Map<String, List<ReportData.Changed>> byChange = new TreeMap<>();
        List<Samples> lines = new ArrayList<>(responses(set + "before"));
        Collections.shuffle(lines, new Random(config.seed()));
        for (Samples before : lines) {
            Samples now = after.get(List.of(before.id(), before.language()));
            String was = kind(before);
            String is = kind(now);
            if (!was.equals(is)) {
                List<ReportData.Changed> own = byChange.computeIfAbsent(was + " " + is, key -> new ArrayList<>());
                ReportData.Changed change = new ReportData.Changed(
                        before.id(),
                        before.language(),
                        before.relation(),
                        before.question(),
                        before.choices(),
                        before.answer(),
                        was,
                        said(before),
                        is,
                        said(now));
                boolean gained = change.truth() != null
                        && change.truth().equals(change.after().answer())
                        && !change.truth().equals(change.before().answer());
                own.add(gained ? 0 : own.size(), change);
            }
        }
        return byChange.values().stream()
                .flatMap(own -> own.stream().limit(MOST))
                .toList();
    }

    private String kind(Samples line) {
        return config.patterns().kind(line.responses().getFirst().text(), line.language());
    }

    private static ReportData.Said said(Samples line) {
        return new ReportData.Said(
                line.responses().getFirst().text(),
                MajorityVote.prediction(line).prediction());
    }
}
