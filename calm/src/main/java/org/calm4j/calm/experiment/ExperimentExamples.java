package org.calm4j.calm.experiment;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Questions;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.data.Vote;
import org.calm4j.calm.metric.MajorityVote;
import org.calm4j.calm.report.ReportData;
import org.calm4j.engine.io.Jsonl;

/**
 * Some questions of an experiment with all their answers, for its report: questions that were voted on, and questions that it is measured
 * with.
 */
record ExperimentExamples(ExperimentConfig config) {
    /** The most questions of each kind; the page contains all of them. */
    private static final int MOST_QUESTIONS = 60;
    /** Long responses are cut. */
    private static final int LONGEST = 700;

    private Path file(String name) {
        return config.output().resolve(name);
    }

    private static <L> Map<List<String>, L> byPlace(List<L> lines, Function<L, List<String>> place) {
        Map<List<String>, L> byPlace = new LinkedHashMap<>();
        lines.forEach(line -> byPlace.putIfAbsent(place.apply(line), line));
        return byPlace;
    }

    /** A model's responses to the evaluation questions; where it ranked their choices and wrote nothing, the text of the choice. */
    List<Samples> answers(String model) {
        Path responses = file("eval-" + model).resolve("responses.jsonl");
        if (Files.exists(responses)) {
            return Jsonl.read(responses, Samples.class);
        }
        Map<List<String>, Prediction> predictions = byPlace(
                Jsonl.read(file("eval-" + model).resolve("predictions.jsonl"), Prediction.class),
                line -> List.of(line.id(), line.language()));
        List<Samples> answers = new ArrayList<>();
        for (Question question : Questions.read(config.evaluation())) {
            Prediction prediction = predictions.get(List.of(question.id(), question.language()));
            String label = prediction == null ? null : prediction.prediction();
            String text = question.choices().stream()
                    .filter(choice -> choice.label().equals(label))
                    .map(Question.Choice::text)
                    .findFirst()
                    .orElse("");
            answers.add(new Samples(
                    question, new Prompt(null, null), List.of(new Samples.Response(text, label, null, null))));
        }
        return answers;
    }

    List<ReportData.Example> read() {
        Map<List<String>, Samples> sampled =
                byPlace(Jsonl.read(file("samples.jsonl"), Samples.class), line -> List.of(line.id(), line.language()));
        Map<List<String>, Samples> before = byPlace(answers("before"), line -> List.of(line.id(), line.language()));
        Map<List<String>, Samples> after = byPlace(answers("after"), line -> List.of(line.id(), line.language()));
        Map<List<String>, Pair> pairs =
                byPlace(Jsonl.read(file("pairs.jsonl"), Pair.class), pair -> List.of(pair.id(), pair.language()));
        Map<String, Vote> votes = new HashMap<>();
        Jsonl.read(file("votes.jsonl"), Vote.class).forEach(vote -> votes.putIfAbsent(vote.id(), vote));
        Map<String, List<List<String>>> places = new LinkedHashMap<>();
        Set<List<String>> all = new LinkedHashSet<>(sampled.keySet());
        all.addAll(before.keySet());
        all.forEach(place -> places.computeIfAbsent(place.getFirst(), id -> new ArrayList<>())
                .add(place));
        Set<String> chosen = new LinkedHashSet<>(some(sampled.keySet()));
        chosen.addAll(some(before.keySet()));
        List<ReportData.Example> examples = new ArrayList<>();
        for (String id : chosen) {
            List<ReportData.Asked> asked = new ArrayList<>();
            String truth = null;
            for (List<String> place : places.get(id)) {
                Samples line = sampled.getOrDefault(place, before.get(place));
                truth = truth == null ? line.answer() : truth;
                asked.add(asked(line, sampled.get(place), before.get(place), after.get(place), pairs.get(place)));
            }
            examples.add(new ReportData.Example(id, truth, votes.get(id), asked));
        }
        return examples;
    }

    /** A random part, always the same. */
    private List<String> some(Set<List<String>> places) {
        List<String> ids =
                new ArrayList<>(places.stream().map(List::getFirst).distinct().toList());
        Collections.shuffle(ids, new Random(config.seed()));
        return ids.subList(0, Math.min(MOST_QUESTIONS, ids.size()));
    }

    private static ReportData.Asked asked(
            Question question, List<ReportData.Sampled> responses, Samples before, Samples after, Pair pair) {
        return new ReportData.Asked(
                question.language(),
                cut(question.question()),
                question.choices(),
                said(before),
                said(after),
                responses,
                pair == null
                        ? null
                        : new ReportData.ShownPair(cut(pair.chosen()), cut(pair.rejected()), pair.chosenSource()));
    }

    private static ReportData.Asked asked(Samples line, Samples sampled, Samples before, Samples after, Pair pair) {
        Map<String, ReportData.Sampled> responses = new LinkedHashMap<>();
        if (sampled != null) {
            sampled.responses()
                    .forEach(response -> responses.merge(
                            response.text(),
                            new ReportData.Sampled(cut(response.text()), response.answer(), 1),
                            (a, b) -> new ReportData.Sampled(a.text(), a.answer(), a.count() + 1)));
        }
        return asked(line.asked(), List.copyOf(responses.values()), before, after, pair);
    }

    private static ReportData.Said said(Samples line) {
        return line == null
                ? null
                : new ReportData.Said(
                        cut(line.responses().getFirst().text()),
                        MajorityVote.prediction(line).prediction());
    }

    private static String cut(String text) {
        return text.codePointCount(0, text.length()) <= LONGEST
                ? text
                : text.substring(0, text.offsetByCodePoints(0, LONGEST)) + " …";
    }
}
