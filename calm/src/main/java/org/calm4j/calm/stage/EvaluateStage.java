package org.calm4j.calm.stage;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.calm4j.calm.data.Messages;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Questions;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.importer.PredictionFiles;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.MajorityVote;
import org.calm4j.calm.metric.RankC;
import org.calm4j.calm.metric.ResponsePatterns;
import org.calm4j.calm.option.EvaluateOptions;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.run.Fingerprint;
import org.calm4j.calm.run.PartialLines;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.calm.run.SharedLines;
import org.calm4j.calm.translate.AnswerLanguage;
import org.calm4j.calm.translate.Languages;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.ranks.Ranks;

/** Questions and a model, or predictions alone, in; {@code eval.json} and {@code predictions.jsonl} out. */
public record EvaluateStage(Path output, long seed) {
    public static final String PASSAGES = "passages.jsonl";
    private static final String RESPONSES = "responses.jsonl";
    private static final String PREDICTIONS = "predictions.jsonl";
    private static final String SCORES = "scores.jsonl";
    private static final String RESULT = "eval.json";
    private static final String COMPARISON = "comparison.json";
    /** The files that an evaluation may write into its folder. */
    public static final List<String> FILES = List.of(PASSAGES, RESPONSES, PREDICTIONS, SCORES, RESULT, COMPARISON);

    private static final int FEWEST_LINES = 8;
    private static final int MOST_LINES = 256;

    /** The log-probabilities of the choices' texts, by label. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    private record Scores(String id, String language, String answer, String group, Map<String, Double> logprobs) {
        /** Best first, the order of the choices between equal ones. */
        List<String> order() {
            return logprobs.entrySet().stream()
                    .sorted(Comparator.comparingDouble(each -> -each.getValue()))
                    .map(Map.Entry::getKey)
                    .toList();
        }

        /** The share of the first among all: softmax of the log-probabilities. */
        double confidence() {
            double most = logprobs.get(order().getFirst());
            return 1
                    / logprobs.values().stream()
                            .mapToDouble(each -> Math.exp(each - most))
                            .sum();
        }
    }

    /**
     * Locks the folder, and checks that no other files are in the place of an evaluation's.
     *
     * @throws CalmException bad input: there are some; failed: another process writes there
     */
    public static OutputFolder open(Path output, Progress progress) {
        OutputFolder folder = OutputFolder.open(output, progress::say);
        try {
            List<Path> files = FILES.stream().map(output::resolve).toList();
            if (!folder.hasRecord() && isOld(output.resolve(RESULT))) {
                folder.adopt(files);
            }
            folder.refuseForeign(files);
            return folder;
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    // An earlier version of the program kept no record of its files.
    private static boolean isOld(Path result) {
        if (!Files.isRegularFile(result)) {
            return false;
        }
        JsonNode evaluation = Json.read(result, JsonNode.class);
        return Stream.of("confidence_intervals", "invalid", "n").allMatch(evaluation::has);
    }

    /**
     * From given predictions.
     *
     * @param data the questions that were asked; if empty, the labels are those in answers and predictions
     * @param warn receives how predictions were read where that is not obvious
     */
    public Evaluation ofPredictions(List<Path> files, List<Path> data, Consumer<String> warn) {
        List<Question> questions = data.isEmpty() ? List.of() : Questions.read(data);
        PredictionFiles read = PredictionFiles.read(files, questions).andUnanswered(questions);
        read.warnings().forEach(warn);
        return write(read.predictions(), Evaluation.of(read.predictions(), seed).withNotLabels(read.notLabels()));
    }

    /**
     * Compares the evaluated predictions with other predictions of the same questions; goes to {@code comparison.json}.
     *
     * @param before the other predictions
     * @param data the questions that were asked; may be empty
     * @param warn receives how they were read where that is not obvious
     * @throws CalmException bad input: they are not of the same questions in the same languages
     */
    public Comparison against(List<Path> before, List<Path> data, Consumer<String> warn) {
        List<Question> questions = data.isEmpty() ? List.of() : Questions.read(data);
        PredictionFiles other = PredictionFiles.read(before, questions);
        other.warnings().forEach(line -> warn.accept("against: " + line));
        List<Prediction> own = PredictionFiles.read(List.of(output.resolve(PREDICTIONS)), questions)
                .predictions();
        Comparison comparison = Comparison.of(other.predictions(), own, seed);
        Json.write(output.resolve(COMPARISON), comparison);
        return comparison;
    }

    /**
     * Returns null on other ranks than 0, which share the work and write nothing.
     *
     * @param contexts passages for the questions, as {@link RetrieveStage} found them; null without
     * @param resume whether to continue a stopped run
     */
    public Evaluation ofModel(
            ModelFolder model,
            List<Path> questions,
            PromptTemplates prompts,
            EvaluateOptions options,
            Path contexts,
            boolean resume,
            Progress progress) {
        Questions asked = Questions.read(questions);
        UnaryOperator<Question> put = RetrieveStage.before(contexts);
        return switch (options.method()) {
            case GENERATE -> generate(model, asked, prompts, options, put, resume, progress);
            case RANK -> rank(model, asked, prompts, put, resume, progress);
        };
    }

    /**
     * Counts kinds of the responses that an evaluation came from; goes to {@code eval.json}.
     *
     * @throws CalmException wrong usage: it did not come from responses
     */
    public Evaluation count(Evaluation evaluation, ResponsePatterns patterns) {
        Path responses = output.resolve(RESPONSES);
        if (!Files.isRegularFile(responses)) {
            throw CalmException.usage(
                    "patterns are counted in responses, and there are none: predictions and ranked choices have no text");
        }
        Evaluation counted = evaluation.withPatterns(patterns.count(Jsonl.read(responses, Samples.class), null));
        Json.write(output.resolve(RESULT), counted);
        return counted;
    }

    /** The answer of a greedy response, or the most frequent one of sampled responses; the responses go to {@code responses.jsonl}. */
    private Evaluation generate(
            ModelFolder model,
            Questions asked,
            PromptTemplates prompts,
            EvaluateOptions options,
            UnaryOperator<Question> put,
            boolean resume,
            Progress progress) {
        SampleStage stage = new SampleStage(List.of(), prompts, output.resolve(RESPONSES), options.sampling(seed));
        List<Samples> lines = stage.sample(model, asked, put, resume, progress, "evaluate");
        if (!Ranks.here().isFirst()) {
            return null;
        }
        List<Prediction> predictions =
                lines.stream().map(MajorityVote::prediction).toList();
        return write(predictions, Evaluation.of(predictions, seed).withAnswerLanguage(inOwnLanguage(lines)));
    }

    /**
     * The share of responses in the expected language, by language, among those whose language can be determined;
     * languages without any are absent.
     */
    static Map<String, Double> inOwnLanguage(List<Samples> lines) {
        Map<String, int[]> counts = new LinkedHashMap<>();
        for (Samples line : lines) {
            AnswerLanguage answers = new AnswerLanguage(line);
            for (Samples.Response response : line.responses()) {
                if (Languages.canTell(response.text(), line.language())) {
                    int[] count = counts.computeIfAbsent(line.language(), language -> new int[2]);
                    count[0] += answers.isOwn(response.text()) ? 1 : 0;
                    count[1]++;
                }
            }
        }
        Map<String, Double> shares = new LinkedHashMap<>();
        counts.forEach((language, count) -> shares.put(language, (double) count[0] / count[1]));
        return shares;
    }

    /** The choice whose text is the most probable completion of the prompt; the order of all of them gives RankC. */
    private Evaluation rank(
            ModelFolder model,
            Questions asked,
            PromptTemplates prompts,
            UnaryOperator<Question> put,
            boolean resume,
            Progress progress) {
        List<Scorer.Item> items = new ArrayList<>();
        List<Prompt> texts = asked.stream()
                .map(put)
                .map(question -> prompts.ask(question, model.chatTemplate() != null))
                .toList();
        for (int i = 0; i < asked.size(); i++) {
            Prompt text = texts.get(i);
            Question question = asked.get(i);
            items.add(Messages.at(asked.where(i), () -> {
                Scorer.Item item = new Scorer.Item(
                        model.promptIds(text.text(), text.history()),
                        question.choices().stream()
                                .map(choice -> model.requireTokenizer().encode(choice.text(), false))
                                .toList());
                item.check(model.model());
                return item;
            }));
        }
        int part = PartialLines.part(model.model(), FEWEST_LINES, MOST_LINES);
        List<Object> data = List.of(asked, texts);
        SameOnAll.check(Ranks.here(), data, model);
        Scorer scorer = new Scorer(model.model());
        List<Scores> all = SharedLines.make(
                Ranks.here(),
                output.resolve(SCORES),
                Scores.class,
                new PartialLines.Plan(Fingerprint.of(data), part, items.size()),
                resume,
                progress,
                "evaluate",
                (first, end, done) -> {
                    List<List<double[]>> scores = scorer.score(items.subList(first, end), done);
                    List<Scores> some = new ArrayList<>();
                    for (int i = first; i < end; i++) {
                        some.add(scores(asked.get(i), scores.get(i - first)));
                    }
                    return some;
                });
        if (!Ranks.here().isFirst()) {
            return null;
        }
        List<Prediction> predictions = new ArrayList<>();
        Map<String, Map<String, List<String>>> rankings = new LinkedHashMap<>();
        for (Scores each : all) {
            List<String> order = each.order();
            predictions.add(new Prediction(
                    each.id, each.language, each.answer, order.getFirst(), each.group, each.confidence()));
            rankings.computeIfAbsent(each.language, language -> new LinkedHashMap<>())
                    .put(each.id, order);
        }
        Evaluation evaluation = Evaluation.of(predictions, seed);
        return write(predictions, rankings.size() < 2 ? evaluation : evaluation.withRankc(RankC.mean(rankings)));
    }

    private static Scores scores(Question question, List<double[]> logProbs) {
        Map<String, Double> byLabel = new LinkedHashMap<>();
        for (int c = 0; c < logProbs.size(); c++) {
            double sum = 0;
            for (double logProb : logProbs.get(c)) {
                sum += logProb;
            }
            byLabel.put(question.choices().get(c).label(), sum);
        }
        return new Scores(question.id(), question.language(), question.answer(), question.group(), byLabel);
    }

    private Evaluation write(List<Prediction> predictions, Evaluation evaluation) {
        Jsonl.write(output.resolve(PREDICTIONS), predictions);
        Json.write(output.resolve(RESULT), evaluation);
        return evaluation;
    }
}
