package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.calm4j.calm.data.Prediction;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.RankC;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Scorer;

/** Questions and a model, or predictions alone, in; {@code eval.json} and {@code predictions.jsonl} out. */
public record EvaluateStage(Path output, long seed) {
    private static final String RESPONSES = "responses.jsonl";

    /** From predictions that somebody made. */
    public Evaluation ofPredictions(List<Path> files) {
        List<Prediction> predictions = new ArrayList<>();
        for (Path file : files) {
            predictions.addAll(Jsonl.read(file, Prediction.class, (line, where) -> {
                if (line.id() == null || line.language() == null) {
                    throw CalmException.badInput(where, "a prediction needs id and language");
                }
                return line;
            }));
        }
        return write(predictions, Evaluation.of(predictions, seed));
    }

    /** The answer of a greedy response; the responses go to {@code responses.jsonl}. */
    public Evaluation generate(ModelFolder model, List<Path> questions, PromptTemplates prompts, int maxNewTokens, Progress progress) {
        List<Samples> responses = SampleStage.sample(model, SampleStage.read(questions), prompts, Sampling.greedy(maxNewTokens), progress,
                "evaluate");
        Jsonl.write(output.resolve(RESPONSES), responses);
        List<Prediction> predictions = responses.stream()
                .map(line -> new Prediction(line.id(), line.language(), line.answer(), line.responses().getFirst().answer())).toList();
        return write(predictions, Evaluation.of(predictions, seed));
    }

    /** The choice whose text is the most probable completion of the prompt; the order of all of them gives RankC. */
    public Evaluation rank(ModelFolder model, List<Path> questions, PromptTemplates prompts, Progress progress) {
        List<Question> all = SampleStage.read(questions);
        List<Scorer.Item> items = new ArrayList<>();
        for (Question question : all) {
            int[] prompt = model.promptIds(prompts.render(question));
            items.add(new Scorer.Item(prompt, question.choices().stream()
                    .map(choice -> model.requireTokenizer().encode(choice.text(), false)).toList()));
        }
        progress.start("evaluate", items.size());
        List<List<double[]>> scores;
        try {
            scores = new Scorer(model.model()).score(items, done -> progress.at(done, ""));
        } finally {
            progress.end();
        }
        List<Prediction> predictions = new ArrayList<>();
        Map<String, Map<String, List<String>>> rankings = new LinkedHashMap<>();
        for (int i = 0; i < all.size(); i++) {
            Question question = all.get(i);
            List<double[]> score = scores.get(i);
            List<String> order = IntStream.range(0, score.size()).boxed()
                    .sorted(Comparator.comparingDouble((Integer c) -> -IntStream.range(0,
                    score.get(c).length).mapToDouble(t -> score.get(c)[t]).sum()))
                    .map(c -> question.choices().get(c).label()).toList();
            predictions.add(new Prediction(question.id(), question.language(), question.answer(), order.getFirst()));
            rankings.computeIfAbsent(question.language(), language -> new LinkedHashMap<>()).put(question.id(), order);
        }
        Evaluation evaluation = Evaluation.of(predictions, seed);
        return write(predictions, rankings.size() < 2 ? evaluation : evaluation.withRankc(RankC.mean(rankings)));
    }

    private Evaluation write(List<Prediction> predictions, Evaluation evaluation) {
        Jsonl.write(output.resolve("predictions.jsonl"), predictions);
        Json.write(output.resolve("eval.json"), evaluation);
        return evaluation;
    }
}
