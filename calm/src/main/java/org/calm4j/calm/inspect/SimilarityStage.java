package org.calm4j.calm.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.inspect.Cka;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Streams;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.tensor.Tensor;

/** How alike languages are inside: parallel texts as the mean of their tokens' streams, layer by layer and pair by pair of languages. */
public record SimilarityStage(Path input, Path output) {
    /**
     * @param layer 0 is the stream before the first block, l that after block l − 1
     * @param languages two
     * @param cka linear centred kernel alignment (Kornblith et al. 2019); null where one of the sets does not vary
     * @param cosine mean over the texts, of a text and its translation
     * @param retrieval share of the texts, in both directions, that are nearest to their translation by cosine
     */
    public record Similarity(int layer, List<String> languages, Double cka, double cosine, double retrieval) {}

    private record Line(String id, String language, int[] tokens) {}

    public List<Similarity> run(ModelFolder model, Progress progress) {
        List<Line> lines = PromptLines.read(input, (line, where) -> line(line, where, model));
        Map<String, Map<String, Line>> byLanguage = byLanguage(lines);
        int longest = lines.stream().mapToInt(line -> line.tokens.length).max().orElseThrow();
        Map<Line, double[][]> means = new LinkedHashMap<>();
        progress.start("similarity", lines.size());
        try (Inspector inspector = new Inspector(model.model(), longest)) {
            for (Line line : lines) {
                try (Streams streams = Streams.of(inspector, line.tokens)) {
                    double[][] byLayer = new double[streams.count()][];
                    for (int layer = 0; layer < byLayer.length; layer++) {
                        byLayer[layer] = mean(streams.get(layer));
                    }
                    means.put(line, byLayer);
                }
                progress.at(means.size(), "");
            }
        } finally {
            progress.end();
        }
        List<Similarity> all = compare(byLanguage, means, model.model().config().layers() + 1);
        Jsonl.write(output, all);
        return all;
    }

    private static List<Similarity> compare(
            Map<String, Map<String, Line>> byLanguage, Map<Line, double[][]> means, int layers) {
        List<Similarity> all = new ArrayList<>();
        List<String> languages = List.copyOf(byLanguage.keySet());
        List<String> ids = List.copyOf(byLanguage.get(languages.getFirst()).keySet());
        for (int l = 0; l < layers; l++) {
            int layer = l;
            Map<String, double[][]> vectors = new LinkedHashMap<>();
            byLanguage.forEach((language, texts) -> vectors.put(
                    language,
                    ids.stream().map(id -> means.get(texts.get(id))[layer]).toArray(double[][]::new)));
            for (int a = 0; a < languages.size(); a++) {
                for (int b = a + 1; b < languages.size(); b++) {
                    double[][] x = vectors.get(languages.get(a));
                    double[][] y = vectors.get(languages.get(b));
                    all.add(new Similarity(
                            layer,
                            List.of(languages.get(a), languages.get(b)),
                            Cka.linear(x, y),
                            Vectors.meanCosine(x, y),
                            (Vectors.retrieval(x, y) + Vectors.retrieval(y, x)) / 2));
                }
            }
        }
        return all;
    }

    private Map<String, Map<String, Line>> byLanguage(List<Line> lines) {
        Map<String, Map<String, Line>> byLanguage = new LinkedHashMap<>();
        for (Line line : lines) {
            if (byLanguage
                            .computeIfAbsent(line.language, none -> new LinkedHashMap<>())
                            .put(line.id, line)
                    != null) {
                throw CalmException.badInput(input, "has two texts with id " + line.id + " in " + line.language);
            }
        }
        Map<String, Line> first = byLanguage.values().iterator().next();
        byLanguage.forEach((language, texts) -> {
            if (!texts.keySet().equals(first.keySet())) {
                throw CalmException.badInput(
                        input,
                        "the texts in " + language + " have other ids than those in "
                                + first.values().iterator().next().language);
            }
        });
        if (byLanguage.size() < 2) {
            throw CalmException.badInput(input, "has texts in one language; similarity is between two or more");
        }
        return byLanguage;
    }

    private static Line line(JsonNode line, String where, ModelFolder model) {
        String id = PromptLines.id(line, where).asText();
        LanguageText text = LanguageText.of(line, where, model);
        return new Line(id, text.language(), text.tokens());
    }

    private static double[] mean(Tensor stream) {
        int rows = (int) stream.dim(0);
        double[] mean = new double[Math.toIntExact(stream.rowSize())];
        for (int i = 0; i < rows * mean.length; i++) {
            mean[i % mean.length] += stream.get(i) / rows;
        }
        return mean;
    }
}
