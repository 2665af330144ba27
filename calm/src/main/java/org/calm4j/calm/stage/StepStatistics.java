package org.calm4j.calm.stage;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.option.InspectOptions;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.inspect.ActivationStatistics;
import org.calm4j.engine.inspect.GradientNoise;
import org.calm4j.engine.inspect.GradientProducts;
import org.calm4j.engine.inspect.RunningScore;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.train.StepObserver;

/**
 * Measures inside a model while it is trained, every so many steps; {@code docs/inspect-training.md} says what the names in
 * metrics.jsonl mean. All memory is taken once.
 */
final class StepStatistics implements StepObserver, AutoCloseable {
    private static final String PREFIX = "inspect/";
    /** A measurement's weight in the running means is a tenth. */
    private static final double DECAY = 0.9;
    /** A step's weight in the running mean and deviation of losses and norms. */
    private static final double WEIGHT = 0.05;

    private static final int WARMUP = 20;
    /** Lines that are named of an outlier. */
    private static final int NAMED = 4;

    private static final Map<String, ActivationStatistics.Kind> ACTIVATIONS = Map.of(
            InspectOptions.ACTIVATION_NORM, ActivationStatistics.Kind.NORM,
            InspectOptions.DEAD_UNITS, ActivationStatistics.Kind.DEAD_UNITS,
            InspectOptions.ATTENTION_ENTROPY, ActivationStatistics.Kind.ATTENTION_ENTROPY);

    /**
     * A line of an outlier step.
     *
     * @param line its number in the data, from 1; 0 for a replayed document
     * @param loss its own, before weights
     * @param gradNorm of that loss alone
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record OutlierLine(
            int line,
            String id,
            String language,
            double loss,
            @JsonProperty("grad_norm") double gradNorm) {}

    private final InspectOptions options;
    /** By line: its languages, one or two, or none. */
    private final List<List<String>> languages;
    /** By line; null without. */
    private final List<String> ids;

    private final ActivationStatistics activations;
    private final Set<ActivationStatistics.Kind> kinds;
    private final boolean noise;
    private final boolean cosines;
    private final boolean margins;
    private final GradientProducts gradients;
    /** Null without cka. */
    private final Probe probe;

    private final GradientNoise noiseScale = new GradientNoise(DECAY);
    private final RunningScore lossScore = new RunningScore(WEIGHT, WARMUP);
    private final RunningScore normScore = new RunningScore(WEIGHT, WARMUP);

    /**
     * @param files that are trained on
     * @param most lines of each; null for all
     * @param lines that were read of it: as many, or twice as many where the two completions of a pair are lines of their own
     * @param pairs whether they are pairs
     * @param batchSize lines a step
     * @throws CalmException bad input: what a statistic needs is not there
     */
    StepStatistics(
            InspectOptions options,
            ModelFolder model,
            List<Path> files,
            Integer most,
            int lines,
            boolean pairs,
            int batchSize) {
        this.options = options;
        Path data = files.getFirst();
        List<DataFile.Item> items = DataFile.read(files, most);
        if (lines != items.size() && lines != 2 * items.size()) {
            throw new IllegalStateException(items.size() + " lines in " + data + ", and " + lines + " were read");
        }
        languages = items.stream().map(item -> languages(item.json())).toList();
        ids = items.stream().map(item -> item.json().path("id").asText(null)).collect(Collectors.toList());
        boolean spoken = languages.stream().noneMatch(List::isEmpty);
        margins = possible(
                InspectOptions.MARGINS,
                pairs && spoken,
                data,
                "needs pairs, each with its language (or language_1 and language_2)");
        cosines = possible(
                InspectOptions.GRADIENT_COSINE,
                spoken && languages.stream().distinct().count() > 1,
                data,
                "needs lines with language, of two languages or more");
        noise = possible(InspectOptions.NOISE_SCALE, batchSize > 1, data, "needs two lines a step or more");
        kinds = EnumSet.noneOf(ActivationStatistics.Kind.class);
        ACTIVATIONS.forEach((name, kind) -> {
            if (options.wants(name)) {
                kinds.add(kind);
            }
        });
        activations = new ActivationStatistics(model.model(), kinds, options.tokens());
        gradients = new GradientProducts(model.model());
        probe = options.probe() != null && options.wants(InspectOptions.CKA) ? new Probe(model, options.probe()) : null;
    }

    private boolean possible(String statistic, boolean can, Path data, String needs) {
        if (options.names(statistic) && !can) {
            throw CalmException.badInput(data, statistic + " " + needs);
        }
        return options.wants(statistic) && can;
    }

    private static List<String> languages(JsonNode line) {
        return Stream.of("language", "language_1", "language_2")
                .map(name -> line.path(name).asText(null))
                .filter(Objects::nonNull)
                .toList();
    }

    /** A line's place in the data: rejected completions follow all chosen ones. */
    private int item(Line line) {
        return line.line() % languages.size();
    }

    private List<String> languages(Line line) {
        return languages.get(item(line));
    }

    private boolean measures(int step) {
        return step % options.every() == 0;
    }

    @Override
    public Tap tap(int step, int pass, PackedBatch batch) {
        return pass == 0 && measures(step) && !kinds.isEmpty() ? activations.of(batch) : null;
    }

    @Override
    public Map<String, Object> observe(Step step) {
        Map<String, Object> found = new LinkedHashMap<>();
        double lossZ = lossScore.next(step.loss());
        double normZ = normScore.next(step.gradientNorm());
        boolean finite = Double.isFinite(step.loss()) && Double.isFinite(step.gradientNorm());
        if (finite && options.outlierZ() > 0 && Math.max(Math.abs(lossZ), Math.abs(normZ)) >= options.outlierZ()) {
            found.put(PREFIX + "loss_z", lossZ);
            found.put(PREFIX + "grad_norm_z", normZ);
            found.put(PREFIX + "outlier", outliers(step));
        }
        if (finite && measures(step.number())) {
            found.put(PREFIX + "loss_z", lossZ);
            found.put(PREFIX + "grad_norm_z", normZ);
            activations(found);
            if (margins) {
                margins(step, found);
            }
            if (noise || cosines) {
                gradients(step, found);
            }
        }
        if (probe != null && step.number() % options.everyProbe() == 0) {
            probe.cka().forEach((name, value) -> found.put(PREFIX + "cka/" + name, value));
        }
        return found;
    }

    private void activations(Map<String, Object> found) {
        ACTIVATIONS.keySet().stream().sorted().filter(options::wants).forEach(name -> {
            double[] figures = activations.figures(ACTIVATIONS.get(name));
            for (int layer = 0; layer < figures.length; layer++) {
                found.put(PREFIX + name + "/" + layer, figures[layer]);
            }
        });
    }

    private void margins(Step step, Map<String, Object> found) {
        Map<String, List<Double>> byLanguage = new TreeMap<>();
        for (Line line : step.lines()) {
            for (int pair = 0; pair < line.margins().size(); pair++) {
                String language = languages(line).get(pair);
                byLanguage
                        .computeIfAbsent(language, none -> new ArrayList<>())
                        .add(line.margins().get(pair));
            }
        }
        byLanguage.forEach((language, all) -> found.put(
                PREFIX + "margins/" + language,
                all.stream().mapToDouble(Double::doubleValue).average().orElseThrow()));
    }

    /**
     * The gradients of some of the step's lines, by language, scaled so that their sum is as large as the step's; replayed documents have
     * the same share, and a gradient of their own.
     */
    private void gradients(Step step, Map<String, Object> found) {
        List<Line> lines = step.lines();
        List<Integer> own = IntStream.range(0, lines.size())
                .filter(i -> lines.get(i).line() >= 0)
                .boxed()
                .toList();
        List<Integer> replayed = IntStream.range(0, lines.size())
                .filter(i -> lines.get(i).line() < 0)
                .boxed()
                .toList();
        Map<String, List<Integer>> parts = new TreeMap<>();
        List<Integer> some = some(own);
        for (int place : some) {
            String language = cosines ? String.join("-", languages(lines.get(place))) : "";
            parts.computeIfAbsent(language, none -> new ArrayList<>()).add(place);
        }
        List<String> names = List.copyOf(parts.keySet());
        int count = 0;
        for (String name : names) {
            gradient(step, parts.get(name), (double) own.size() / some.size(), count++);
        }
        List<Integer> documents = noise ? some(replayed) : List.of();
        if (!documents.isEmpty()) {
            gradient(step, documents, (double) replayed.size() / documents.size(), count++);
        }
        double[][] products = gradients.products(count);
        if (cosines) {
            cosines(names, products, found);
        }
        if (noise && some.size() < own.size()) {
            double small =
                    Arrays.stream(products).flatMapToDouble(Arrays::stream).sum();
            double large = step.gradientNorm() * step.gradientNorm();
            noiseScale.add(some.size(), own.size(), small, large);
            found.put(PREFIX + "gradient_square", GradientNoise.square(some.size(), own.size(), small, large));
            found.put(PREFIX + "gradient_variance", GradientNoise.variance(some.size(), own.size(), small, large));
            if (noiseScale.scale() != null) {
                found.put(PREFIX + "noise_scale", noiseScale.scale());
            }
        }
    }

    private void gradient(Step step, List<Integer> places, double scale, int number) {
        double[] scales = new double[places.size()];
        Arrays.fill(scales, scale);
        step.gradient(places.stream().mapToInt(Integer::intValue).toArray(), scales, gradients.get(number));
    }

    private static void cosines(List<String> names, double[][] products, Map<String, Object> found) {
        for (int a = 0; a < names.size(); a++) {
            for (int b = a + 1; b < names.size(); b++) {
                double norms = Math.sqrt(products[a][a] * products[b][b]);
                if (norms > 0) {
                    found.put(PREFIX + "gradient_cosine/" + names.get(a) + "_" + names.get(b), products[a][b] / norms);
                }
            }
        }
    }

    /** The share of them, at least one, spread evenly. */
    private List<Integer> some(List<Integer> places) {
        int count = (int) Math.ceil(options.share() * places.size());
        return IntStream.range(0, count)
                .mapToObj(i -> places.get((int) ((long) i * places.size() / count)))
                .toList();
    }

    /** The lines with the largest losses, those with the largest gradients first. */
    private List<OutlierLine> outliers(Step step) {
        List<Line> lines = step.lines();
        return IntStream.range(0, lines.size())
                .boxed()
                .sorted(Comparator.comparingDouble(place -> -lines.get(place).loss()))
                .limit(NAMED)
                .map(place -> outlier(step, place))
                .sorted(Comparator.comparingDouble(line -> -line.gradNorm()))
                .toList();
    }

    private OutlierLine outlier(Step step, int place) {
        Line line = step.lines().get(place);
        double norm = 0;
        if (line.factor() != 0) {
            step.gradient(new int[] {place}, new double[] {1 / line.factor()}, gradients.get(0));
            norm = Math.sqrt(gradients.square(0));
        }
        boolean known = line.line() >= 0;
        List<String> spoken = known ? languages(line) : List.of();
        return new OutlierLine(
                known ? item(line) + 1 : 0,
                known ? ids.get(item(line)) : null,
                spoken.isEmpty() ? null : String.join("-", spoken),
                line.loss(),
                norm);
    }

    @Override
    public Map<String, Double> state() {
        Map<String, Double> state = new LinkedHashMap<>();
        put(state, "noise", noiseScale.state());
        put(state, "loss", lossScore.state());
        put(state, "grad_norm", normScore.state());
        return state;
    }

    private static void put(Map<String, Double> state, String name, double[] values) {
        for (int i = 0; i < values.length; i++) {
            state.put(name + "." + i, values[i]);
        }
    }

    @Override
    public void resume(Map<String, Double> state) {
        if (state.isEmpty()) {
            return;
        }
        noiseScale.resume(state.get("noise.0"), state.get("noise.1"));
        lossScore.resume(state.get("loss.0"), state.get("loss.1"), state.get("loss.2"));
        normScore.resume(state.get("grad_norm.0"), state.get("grad_norm.1"), state.get("grad_norm.2"));
    }

    @Override
    public void close() {
        gradients.close();
        if (probe != null) {
            probe.close();
        }
    }
}
