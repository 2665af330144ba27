package org.calm4j.calm.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.inspect.Cka;
import org.calm4j.engine.inspect.MeanStreams;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.ModelFolder;

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
        Map<String, Map<String, int[]>> tokens = new LinkedHashMap<>();
        byLanguage.forEach((language, texts) -> {
            Map<String, int[]> own = tokens.computeIfAbsent(language, none -> new LinkedHashMap<>());
            texts.forEach((id, line) -> own.put(id, line.tokens));
        });
        progress.start("similarity", lines.size());
        List<Similarity> all = of(model.model(), tokens);
        progress.at(lines.size(), "");
        progress.end();
        Jsonl.write(output, all);
        return all;
    }

    /** @param texts language to id to tokens; the same ids in all languages */
    static List<Similarity> of(CausalLm model, Map<String, Map<String, int[]>> texts) {
        List<String> languages = List.copyOf(texts.keySet());
        List<String> ids = List.copyOf(texts.get(languages.getFirst()).keySet());
        List<int[]> all = new ArrayList<>();
        texts.values().forEach(own -> ids.forEach(id -> all.add(own.get(id))));
        try (MeanStreams streams = new MeanStreams(model, all)) {
            return compare(languages, ids.size(), streams.run());
        }
    }

    /** @param means by layer, then language after language */
    private static List<Similarity> compare(List<String> languages, int texts, double[][][] means) {
        List<Similarity> all = new ArrayList<>();
        for (int layer = 0; layer < means.length; layer++) {
            for (int a = 0; a < languages.size(); a++) {
                for (int b = a + 1; b < languages.size(); b++) {
                    double[][] x = Arrays.copyOfRange(means[layer], a * texts, (a + 1) * texts);
                    double[][] y = Arrays.copyOfRange(means[layer], b * texts, (b + 1) * texts);
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
}
