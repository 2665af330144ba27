package org.calm4j.calm.experiment;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.MajorityVote;
import org.calm4j.calm.metric.ResponseKind;
import org.calm4j.calm.report.ReportData;
import org.calm4j.calm.vote.SampleFiles;
import org.calm4j.engine.io.Jsonl;

/** How the responses of an experiment come to their answers, before and after, and in each arm. */
record ExperimentWays(ExperimentConfig config) {
    /** Examples of each change. */
    private static final int GAINED = 3;

    private static final int LOST = 1;

    private static final String THROUGH = "through ";

    private List<Samples> responses(String evaluation) {
        return new ExperimentFiles(config).responses(evaluation);
    }

    /** Null where the experiment has no patterns, or no responses. */
    ReportData.Ways read() {
        if (config.patterns() == null || responses("eval-before").isEmpty()) {
            return null;
        }
        ExperimentFiles files = new ExperimentFiles(config);
        boolean heldOut = !config.heldOut().isEmpty();
        List<ReportData.Known> known = new ArrayList<>(heldOut ? known("held-out-", true) : List.of());
        known.addAll(known("eval-", false));
        return new ReportData.Ways(
                config.patterns()
                        .count(
                                SampleFiles.read(
                                        config.samples().isEmpty()
                                                ? List.of(files.file("samples.jsonl"))
                                                : config.samples()),
                                Jsonl.read(files.file("votes.jsonl"), Vote.class)),
                kinds("eval-"),
                heldOut ? kinds("held-out-") : Map.of(),
                known,
                habit(heldOut ? "held-out-" : "eval-"),
                flows(heldOut ? "held-out-" : "eval-"),
                turns(heldOut ? "held-out-" : "eval-"),
                changed(heldOut ? "held-out-" : "eval-"));
    }

    /** Kinds of the responses of one evaluation; null without patterns or responses. */
    Map<String, ResponseKind> kinds(String set, String model) {
        List<Samples> lines = config.patterns() == null ? List.of() : responses(set + model);
        return lines.isEmpty() ? null : config.patterns().count(lines, null);
    }

    private List<String> models() {
        List<String> models = new ArrayList<>(List.of("before", "after"));
        models.addAll(config.arms().keySet());
        return models;
    }

    private Map<String, Map<String, ResponseKind>> kinds(String set) {
        Map<String, Map<String, ResponseKind>> kinds = new LinkedHashMap<>();
        models().forEach(model -> kinds.put(model, kinds(set, model)));
        return kinds;
    }

    /** The share of a way, with the interval and the comparison of an accuracy: going through another language counts as right. */
    private Map<String, ReportData.Habit> habit(String set) {
        if (config.patterns().names().stream().noneMatch(name -> name.startsWith(THROUGH))) {
            return Map.of();
        }
        List<Prediction> before = throughs(set + "before");
        Map<String, ReportData.Habit> habit = new LinkedHashMap<>();
        for (String model : models()) {
            List<Prediction> own = throughs(set + model);
            Evaluation share = Evaluation.of(own, config.seed());
            habit.put(
                    model,
                    new ReportData.Habit(
                            share.accuracyMean(),
                            share.intervals().accuracyMean(),
                            model.equals("before")
                                    ? null
                                    : Comparison.of(before, own, config.seed()).accuracyMean()));
        }
        return habit;
    }

    private List<Prediction> throughs(String evaluation) {
        Map<List<String>, Samples> lines = byPlace(responses(evaluation));
        return new ExperimentFiles(config)
                .predictions(evaluation).stream()
                        .map(line -> new Prediction(
                                line.id(),
                                line.language(),
                                THROUGH,
                                kind(lines.get(List.of(line.id(), line.language())))
                                                .startsWith(THROUGH)
                                        ? THROUGH
                                        : null,
                                line.group(),
                                null))
                        .toList();
    }

    private List<ReportData.Flow> flows(String set) {
        Map<String, ReportData.Flow> flows = new LinkedHashMap<>();
        for (boolean after : new boolean[] {false, true}) {
            for (Samples line : responses(set + (after ? "after" : "before"))) {
                ReportData.Flow flow = flows.computeIfAbsent(
                        String.valueOf(line.relation()),
                        name -> new ReportData.Flow(line.relation(), new LinkedHashMap<>(), new LinkedHashMap<>()));
                Map<String, Integer> ways = (after ? flow.after() : flow.before())
                        .computeIfAbsent(line.language(), language -> new LinkedHashMap<>());
                config.patterns().names().forEach(name -> ways.putIfAbsent(name, 0));
                ways.merge(kind(line), 1, Integer::sum);
            }
        }
        return List.copyOf(flows.values());
    }

    private List<ReportData.Turn> turns(String set) {
        Map<List<String>, Samples> after = byPlace(responses(set + "after"));
        Map<List<String>, ReportData.Turn> turns = new LinkedHashMap<>();
        for (Samples before : responses(set + "before")) {
            Samples now = after.get(List.of(before.id(), before.language()));
            String was = kind(before);
            String is = kind(now);
            if (!was.equals(is)) {
                turns.merge(
                        List.of(was, is),
                        new ReportData.Turn(
                                was,
                                is,
                                1,
                                isRight(now) && !isRight(before) ? 1 : 0,
                                isRight(before) && !isRight(now) ? 1 : 0),
                        (a, b) -> new ReportData.Turn(
                                was, is, a.n() + b.n(), a.gained() + b.gained(), a.lost() + b.lost()));
            }
        }
        return turns.values().stream()
                .sorted(Comparator.comparingInt(turn -> -turn.n()))
                .toList();
    }

    private static boolean isRight(Samples line) {
        return line.answer() != null
                && line.answer().equals(MajorityVote.prediction(line).prediction());
    }

    /** Responses to the same questions before and after, of which the same is known. */
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
        // Where something can be gained, where it can be lost, and where neither is known.
        groups.put(List.of(false, true), new Group());
        groups.put(List.of(true, true), new Group());
        groups.put(List.of(true, false), new Group());
        groups.put(List.of(false, false), new Group());
        List<Samples> before = responses(set + "before");
        List<String> hubs = config.hubs() != null
                ? config.hubs()
                : before.stream().map(Samples::language).distinct().toList();
        for (Samples line : before) {
            String fact = ExperimentFiles.fact(line.id(), line.group());
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
                        turned(group.after, group.before, false),
                        turned(group.before, group.after, false),
                        turned(group.before, group.after, true),
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
        return lines.stream().filter(ExperimentWays::isRight).count() / (double) lines.size();
    }

    /** Questions that are right in one and wrong in the other. */
    private int turned(List<Samples> right, List<Samples> wrong, boolean through) {
        int count = 0;
        for (int i = 0; i < right.size(); i++) {
            boolean counts = !through || kind(wrong.get(i)).startsWith(THROUGH);
            count += isRight(right.get(i)) && !isRight(wrong.get(i)) && counts ? 1 : 0;
        }
        return count;
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

    /** Some of each change, the frequent ones first: those that became right, and one that became wrong. */
    private List<ReportData.Changed> changed(String set) {
        Map<List<String>, Samples> after = byPlace(responses(set + "after"));
        Map<List<String>, List<ReportData.Changed>> byChange = new LinkedHashMap<>();
        turns(set).forEach(turn -> byChange.put(List.of(turn.wayBefore(), turn.wayAfter()), new ArrayList<>()));
        List<Samples> lines = new ArrayList<>(responses(set + "before"));
        Map<List<String>, Samples> byPlace = byPlace(lines);
        Collections.shuffle(lines, new Random(config.seed()));
        for (boolean gained : new boolean[] {true, false}) {
            for (Samples before : lines) {
                Samples now = after.get(List.of(before.id(), before.language()));
                List<ReportData.Changed> own = byChange.get(List.of(kind(before), kind(now)));
                boolean became = isRight(gained ? now : before) && !isRight(gained ? before : now);
                long already = own == null
                        ? 0
                        : own.stream()
                                .filter(each -> each.truth() != null
                                        && each.truth().equals(each.after().answer()) == gained)
                                .count();
                if (own != null && became && already < (gained ? GAINED : LOST)) {
                    own.add(changed(before, now, byPlace.get(List.of(before.id(), "en"))));
                }
            }
        }
        return byChange.values().stream().flatMap(List::stream).toList();
    }

    private ReportData.Changed changed(Samples before, Samples now, Samples english) {
        boolean foreign = english != null && !before.language().equals("en");
        return new ReportData.Changed(
                before.id(),
                before.language(),
                before.relation(),
                before.asked().question(),
                before.choices(),
                before.answer(),
                kind(before),
                said(before),
                kind(now),
                said(now),
                foreign ? english.asked().question() : null,
                foreign ? english.choices() : List.of());
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
