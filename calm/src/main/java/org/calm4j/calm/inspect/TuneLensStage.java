package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.TunedLens;
import org.calm4j.engine.inspect.TunedLensTraining;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Truncation;

/**
 * Trains a tuned lens (Belrose et al. 2023, arXiv 2303.08112) on texts.
 *
 * @param data documents, as for pretraining
 * @param evalData documents by which it is judged; null for the same
 * @param output a folder that does not exist
 * @param maxSteps optimizer steps
 * @param batchSize texts a step
 * @param learningRate of the first step; it falls linearly to 0
 * @param seed of the order of the texts
 */
public record TuneLensStage(
        Path data, Path evalData, Path output, int maxSteps, int batchSize, double learningRate, long seed) {
    /**
     * A layer's divergence from what the model says, in nats, mean over positions.
     *
     * @param layer 0 is the stream before the first block, l that after block l − 1
     */
    public record Layer(
            int layer,
            @JsonProperty("logit_lens") double logitLens,
            @JsonProperty("tuned_lens") double tunedLens) {}

    public record Result(List<Layer> layers, String output) {}

    public Result run(ModelFolder model, Progress progress) {
        if (Files.exists(output)) {
            throw CalmException.badInput(output, "exists; choose a folder that does not");
        }
        List<int[]> texts = texts(data, model, progress);
        List<int[]> judged = evalData == null ? texts : texts(evalData, model, progress);
        int longest = Stream.concat(texts.stream(), judged.stream())
                .mapToInt(text -> text.length)
                .max()
                .orElseThrow();
        ModelConfig config = model.model().config();
        try (Inspector inspector = new Inspector(model.model(), longest);
                TunedLens lens = new TunedLens(model.model().backend(), config);
                TunedLensTraining training = new TunedLensTraining(inspector, lens, longest)) {
            double[] before = training.divergences(judged);
            progress.start("tuned lens", maxSteps);
            for (int step = 0; step < maxSteps; step++) {
                double rate = learningRate * (1 - (double) step / maxSteps);
                double[] at = training.step(batch(texts, step), rate, step + 1);
                double mean = Arrays.stream(at, 0, config.layers()).average().orElseThrow();
                if (!Double.isFinite(mean)) {
                    throw CalmException.failed(
                            "step " + (step + 1) + ": the divergence is " + mean + "; try a lower learning rate", null);
                }
                progress.at(step + 1, String.format(Locale.ROOT, "KL %.4f", mean));
            }
            progress.end();
            double[] after = training.divergences(judged);
            List<Layer> layers = new ArrayList<>();
            for (int layer = 0; layer < config.layers(); layer++) {
                layers.add(new Layer(layer, before[layer], after[layer]));
            }
            lens.write(output, about(model, layers));
            return new Result(layers, output.toString());
        }
    }

    private static List<int[]> texts(Path file, ModelFolder model, Progress progress) {
        ModelConfig config = model.model().config();
        return new TrainingData(
                        model.tokenizer(),
                        model.chatTemplate(),
                        config.vocabulary().size(),
                        config.positions().limit(),
                        Truncation.NONE,
                        line -> progress.say("calm: " + line))
                .documents(file).stream().map(Example.Document::tokens).toList();
    }

    private List<int[]> batch(List<int[]> texts, int step) {
        List<int[]> batch = new ArrayList<>();
        long first = (long) step * batchSize;
        int[] order = {};
        for (long place = first; place < first + batchSize; place++) {
            int at = (int) (place % texts.size());
            if (place == first || at == 0) {
                order = CounterRandom.permutation(CounterRandom.seed(seed, place / texts.size()), texts.size());
            }
            batch.add(texts.get(order[at]));
        }
        return batch;
    }

    private Map<String, Object> about(ModelFolder model, List<Layer> layers) {
        Map<String, Object> about = new LinkedHashMap<>();
        about.put("base_model_name_or_path", model.path().toString());
        about.put("data", data.toString());
        about.put("max_steps", maxSteps);
        about.put("batch_size", batchSize);
        about.put("learning_rate", learningRate);
        about.put("seed", seed);
        about.put("divergences", layers);
        return about;
    }
}
