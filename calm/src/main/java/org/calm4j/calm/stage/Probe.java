package org.calm4j.calm.stage;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.inspect.Cka;
import org.calm4j.engine.inspect.MeanStreams;
import org.calm4j.engine.model.ModelFolder;

/** Parallel texts, fixed through a training, by which languages are compared inside the model. */
final class Probe implements AutoCloseable {
    /** The number of a text among all of them, by language and id. */
    private final Map<String, Map<String, Integer>> byLanguage = new TreeMap<>();

    private final List<int[]> texts = new ArrayList<>();
    private final MeanStreams streams;

    /** @throws CalmException bad input: a line lacks something, or the languages do not have the same ids */
    Probe(ModelFolder model, Path file) {
        for (DataFile.Item item : DataFile.read(file)) {
            String language = text(item, "language");
            String id = item.json().path("id").asText(null);
            if (id == null) {
                throw CalmException.badInput(item.where(), "id is missing");
            }
            if (byLanguage.computeIfAbsent(language, none -> new TreeMap<>()).put(id, texts.size()) != null) {
                throw CalmException.badInput(item.where(), "is the second text with id " + id + " in " + language);
            }
            texts.add(tokens(item, model));
        }
        if (byLanguage.size() < 2) {
            throw CalmException.badInput(file, "cka needs texts in two languages or more");
        }
        String first = byLanguage.keySet().iterator().next();
        byLanguage.forEach((language, ids) -> {
            if (!ids.keySet().equals(byLanguage.get(first).keySet())) {
                throw CalmException.badInput(
                        file, "the texts in " + language + " have other ids than those in " + first);
            }
        });
        streams = new MeanStreams(model.model(), texts);
    }

    private static int[] tokens(DataFile.Item item, ModelFolder model) {
        int vocabulary = model.model().config().vocabulary().size();
        int[] tokens = item.json().has("input_ids")
                ? TrainingData.ids(item.json(), "input_ids", item.where(), vocabulary)
                : model.requireTokenizer().encodePrompt(text(item, "text"));
        if (tokens.length == 0) {
            throw CalmException.badInput(item.where(), "the text has no token");
        }
        return tokens;
    }

    private static String text(DataFile.Item item, String name) {
        JsonNode value = item.json().path(name);
        if (!value.isTextual()) {
            throw CalmException.badInput(item.where(), name + " is missing or no text");
        }
        return value.asText();
    }

    /**
     * Linear CKA between languages with the weights as they are now, by {@code layer/one_other}: layer 0 is the stream before the first
     * block, l that after block l − 1.
     */
    Map<String, Double> cka() {
        double[][][] means = streams.run();
        Map<String, Double> all = new LinkedHashMap<>();
        List<String> languages = List.copyOf(byLanguage.keySet());
        for (int layer = 0; layer < means.length; layer++) {
            for (int a = 0; a < languages.size(); a++) {
                for (int b = a + 1; b < languages.size(); b++) {
                    Double cka = Cka.linear(of(languages.get(a), means[layer]), of(languages.get(b), means[layer]));
                    if (cka != null) {
                        all.put(layer + "/" + languages.get(a) + "_" + languages.get(b), cka);
                    }
                }
            }
        }
        return all;
    }

    private double[][] of(String language, double[][] means) {
        return byLanguage.get(language).values().stream().map(i -> means[i]).toArray(double[][]::new);
    }

    @Override
    public void close() {
        streams.close();
    }
}
