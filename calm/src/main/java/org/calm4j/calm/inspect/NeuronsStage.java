package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.inspect.Edit;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.random.CounterRandom;

/**
 * Neurons of the feed-forward layers that are specific to languages, and what silencing them does: a language's own loss against the others'.
 *
 * @param input texts by whose activations neurons are selected
 * @param evalInput texts whose losses are measured; null for the same
 * @param seed of the neurons that are silenced for comparison
 */
public record NeuronsStage(Path input, Path evalInput, Path output, Lape lape, long seed) {
    /**
     * A selected neuron.
     *
     * @param entropy of its activation probabilities' shares, in nats
     * @param languages that it belongs to
     * @param probabilities of being active at a token, by language
     */
    public record Neuron(
            String kind,
            int layer,
            int neuron,
            double entropy,
            List<String> languages,
            Map<String, Double> probabilities) {}

    /**
     * The losses with some neurons silenced.
     *
     * @param silenced the language whose neurons they are; null for none
     * @param random whether as many neurons of each layer were drawn in their place
     * @param neurons how many
     * @param losses mean negative log-likelihood of a token, by language
     * @param changes of it by the silencing
     */
    public record Losses(
            String kind,
            String silenced,
            boolean random,
            int neurons,
            Map<String, Double> losses,
            Map<String, Double> changes) {
        /** How much more the language itself loses than the others do on average; null without neurons or others. */
        @JsonProperty("own_excess")
        public Double ownExcess() {
            if (silenced == null || neurons == 0 || changes.size() < 2 || !changes.containsKey(silenced)) {
                return null;
            }
            double others = changes.entrySet().stream()
                    .filter(each -> !each.getKey().equals(silenced))
                    .mapToDouble(Map.Entry::getValue)
                    .average()
                    .orElseThrow();
            return changes.get(silenced) - others;
        }
    }

    /** @param all neurons that the model has */
    public record Result(int all, List<Neuron> neurons, List<Losses> losses) {}

    public Result run(ModelFolder model, Progress progress) {
        List<LanguageText> texts = LanguageText.read(input, model);
        List<LanguageText> evaluated = evalInput == null ? texts : LanguageText.read(evalInput, model);
        List<String> languages =
                texts.stream().map(LanguageText::language).distinct().sorted().toList();
        if (languages.size() < 2) {
            throw CalmException.badInput(input, "has texts in one language; neurons are specific among two or more");
        }
        int longest = Stream.concat(texts.stream(), evaluated.stream())
                .mapToInt(text -> text.tokens().length)
                .max()
                .orElseThrow();
        ModelConfig config = model.model().config();
        int width = config.feedForward().size();
        try (Inspector inspector = new Inspector(model.model(), longest)) {
            double[][] probabilities = probabilities(inspector, texts, languages, progress);
            List<Neuron> neurons = lape.select(probabilities).stream()
                    .map(found -> new Neuron(
                            "neuron",
                            found.neuron() / width,
                            found.neuron() % width,
                            found.entropy(),
                            found.languages().stream().map(languages::get).toList(),
                            byLanguage(languages, probabilities[found.neuron()])))
                    .toList();
            List<Losses> losses = losses(inspector, evaluated, languages, neurons, progress);
            Jsonl.write(output, Stream.concat(neurons.stream(), losses.stream()).toList());
            return new Result(probabilities.length, neurons, losses);
        }
    }

    private static Map<String, Double> byLanguage(List<String> languages, double[] values) {
        Map<String, Double> map = new LinkedHashMap<>();
        for (int i = 0; i < values.length; i++) {
            map.put(languages.get(i), values[i]);
        }
        return map;
    }

    /** Of being active at a token: [layer · F + neuron][language]. SiLU and GELU are positive where what they are given is. */
    private static double[][] probabilities(
            Inspector inspector, List<LanguageText> texts, List<String> languages, Progress progress) {
        ModelConfig config = inspector.config();
        int width = config.feedForward().size();
        double[][] active = new double[config.layers() * width][languages.size()];
        long[] tokens = new long[languages.size()];
        Selection points = Selection.of(config, HookPoint.MLP_PRE.name(0).replace(".0.", ".*."));
        progress.start("activations", texts.size());
        for (int t = 0; t < texts.size(); t++) {
            int language = languages.indexOf(texts.get(t).language());
            try (Trace trace = inspector.run(texts.get(t).tokens(), points)) {
                for (int layer = 0; layer < config.layers(); layer++) {
                    double[] values = trace.values(HookPoint.MLP_PRE.name(layer));
                    for (int i = 0; i < values.length; i++) {
                        active[layer * width + i % width][language] += values[i] > 0 ? 1 : 0;
                    }
                }
            }
            tokens[language] += texts.get(t).tokens().length;
            progress.at(t + 1, "");
        }
        progress.end();
        for (double[] neuron : active) {
            Arrays.setAll(neuron, language -> neuron[language] / tokens[language]);
        }
        return active;
    }

    private List<Losses> losses(
            Inspector inspector,
            List<LanguageText> texts,
            List<String> languages,
            List<Neuron> neurons,
            Progress progress) {
        progress.start("silencing", 1 + 2L * languages.size());
        try {
            Map<String, Double> before = losses(inspector, texts, List.of());
            List<Losses> all = new ArrayList<>();
            all.add(new Losses("loss", null, false, 0, before, changes(before, before)));
            for (String language : languages) {
                List<BitSet> own = own(inspector.config(), neurons, language);
                int count = own.stream().mapToInt(BitSet::cardinality).sum();
                for (boolean random : new boolean[] {false, true}) {
                    List<BitSet> silenced = random ? drawn(inspector.config(), own, language) : own;
                    Map<String, Double> after = losses(inspector, texts, silenced);
                    all.add(new Losses("loss", language, random, count, after, changes(before, after)));
                    progress.at(all.size(), language);
                }
            }
            return all;
        } finally {
            progress.end();
        }
    }

    private static Map<String, Double> changes(Map<String, Double> before, Map<String, Double> after) {
        Map<String, Double> changes = new LinkedHashMap<>();
        before.forEach((language, loss) -> changes.put(language, after.get(language) - loss));
        return changes;
    }

    /** A language's neurons of each layer. */
    private static List<BitSet> own(ModelConfig config, List<Neuron> neurons, String language) {
        List<BitSet> own = IntStream.range(0, config.layers())
                .mapToObj(layer -> new BitSet())
                .toList();
        neurons.stream().filter(each -> each.languages.contains(language)).forEach(each -> own.get(each.layer)
                .set(each.neuron));
        return own;
    }

    /** As many of each layer, drawn from all of them. */
    private List<BitSet> drawn(ModelConfig config, List<BitSet> own, String language) {
        long key = CounterRandom.seed(seed, language);
        return IntStream.range(0, own.size())
                .mapToObj(layer -> {
                    BitSet drawn = new BitSet();
                    Arrays.stream(CounterRandom.permutation(
                                    CounterRandom.seed(key, layer),
                                    config.feedForward().size()))
                            .limit(own.get(layer).cardinality())
                            .forEach(drawn::set);
                    return drawn;
                })
                .toList();
    }

    /** Of a token, by language; a text's first token is not predicted. */
    private static Map<String, Double> losses(Inspector inspector, List<LanguageText> texts, List<BitSet> silenced) {
        List<Inspector.Handle> handles = new ArrayList<>();
        Map<String, double[]> sums = new LinkedHashMap<>();
        try {
            for (int layer = 0; layer < silenced.size(); layer++) {
                if (!silenced.get(layer).isEmpty()) {
                    Edit.Where where = new Edit.Where(null, null, silenced.get(layer));
                    handles.add(inspector.edit(HookPoint.MLP_POST.name(layer), Edit.scale(0, where)));
                }
            }
            Selection nothing = Selection.of(inspector.config());
            for (LanguageText text : texts) {
                try (Trace trace = inspector.run(text.tokens(), nothing)) {
                    double[] sum = sums.computeIfAbsent(text.language(), none -> new double[2]);
                    sum[0] -= Arrays.stream(trace.logProbs()).sum();
                    sum[1] += text.tokens().length - 1;
                }
            }
        } finally {
            handles.forEach(Inspector.Handle::close);
        }
        Map<String, Double> losses = new LinkedHashMap<>();
        sums.keySet().stream()
                .sorted()
                .filter(language -> sums.get(language)[1] > 0)
                .forEach(language -> losses.put(language, sums.get(language)[0] / sums.get(language)[1]));
        return losses;
    }
}
