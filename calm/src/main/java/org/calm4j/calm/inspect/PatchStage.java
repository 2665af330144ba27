package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.commons.math3.stat.correlation.PearsonsCorrelation;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.inspect.Edit;
import org.calm4j.engine.inspect.Edit.Where;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.inspect.Variants;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.ModelFolder;

/**
 * Activation patching: how far a value of the clean text's run, put into the corrupted text's run, brings the answer back. The metric is the
 * logit of the answer minus that of the wrong one, at the last position.
 *
 * @param at where values are put in: at each position, or for {@link Point#Z} by head at all positions
 * @param methods with both, what they find is compared
 * @param steps at which {@link Method#ATTRIBUTION} takes gradients between the corrupted text and the clean one; with 1, of the corrupted alone
 */
public record PatchStage(Path input, Path output, Point at, Set<Method> methods, int steps) {
    private static final String EMBEDDED = HookPoint.EMBED.name(0);

    public PatchStage {
        Setting.of("steps").check(steps >= 1, "must be at least 1");
    }

    /** Where values are put in. */
    public enum Point {
        RESID_PRE(HookPoint.RESID_PRE),
        RESID_POST(HookPoint.RESID_POST),
        ATTN_OUT(HookPoint.ATTN_OUT),
        MLP_OUT(HookPoint.MLP_OUT),
        Z(HookPoint.Z);

        private final HookPoint point;

        Point(HookPoint point) {
            this.point = point;
        }

        @Override
        public String toString() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** How effects are found. */
    public enum Method {
        /** A copy of the text for each. */
        EXACT,
        /**
         * Their first order for all at once, from one backward pass (Nanda 2023): metric + gradient · (clean − corrupted). With more steps the
         * gradient is the mean of those on the way of the embeddings from corrupted to clean (Hanna et al. 2024, EAP-IG, arXiv 2403.17806).
         */
        ATTRIBUTION;

        @Override
        public String toString() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    private record Line(JsonNode id, int[] clean, int[] corrupted, int answer, int wrong) {
        private List<Inspector.Target> metric() {
            int last = clean.length - 1;
            return List.of(new Inspector.Target(last, answer, 1), new Inspector.Target(last, wrong, -1));
        }
    }

    /**
     * @param effect [layer][position], or of {@link Point#Z} [layer][head]
     * @param attribution the same by the other method, where both were asked for; null otherwise
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    private record Result(JsonNode id, double clean, double corrupted, double[][] effect, double[][] attribution) {}

    /**
     * What was found.
     *
     * @param correlation of attribution with exact patching, of what each value adds to the corrupted run's metric, over all lines; null unless
     *     both were asked for, or where nothing changes
     * @param byLayer the same layer by layer
     */
    public record Summary(
            int lines,
            String output,
            Double correlation,
            @JsonProperty("correlation_by_layer") List<Double> byLayer) {}

    public Summary run(ModelFolder model, Progress progress) {
        List<Line> lines = PromptLines.read(input, (line, where) -> line(line, where, model));
        int longest = lines.stream().mapToInt(line -> line.clean.length).max().orElseThrow();
        List<Result> compared = new ArrayList<>();
        progress.start("patch", lines.size());
        try (Inspector inspector = new Inspector(model.model(), longest);
                Variants variants = methods.contains(Method.EXACT) ? new Variants(model.model(), longest) : null) {
            AtomicFile.write(output, out -> {
                for (int i = 0; i < lines.size(); i++) {
                    Result result = patch(inspector, variants, lines.get(i));
                    write(out, result);
                    if (result.attribution != null) {
                        compared.add(result);
                    }
                    progress.at(i + 1, "");
                }
            });
        } finally {
            progress.end();
        }
        List<Double> byLayer = null;
        if (!compared.isEmpty()) {
            byLayer = new ArrayList<>();
            for (int layer = 0; layer < compared.getFirst().effect.length; layer++) {
                byLayer.add(correlation(compared, layer, layer + 1));
            }
        }
        Double all = byLayer == null ? null : correlation(compared, 0, byLayer.size());
        return new Summary(lines.size(), output.toString(), all, byLayer);
    }

    /** Pearson's, of the effects of layers. */
    private static Double correlation(List<Result> results, int from, int to) {
        List<double[]> pairs = new ArrayList<>();
        for (Result result : results) {
            for (int layer = from; layer < to; layer++) {
                for (int i = 0; i < result.effect[layer].length; i++) {
                    pairs.add(new double[] {
                        result.effect[layer][i] - result.corrupted, result.attribution[layer][i] - result.corrupted
                    });
                }
            }
        }
        if (pairs.size() < 2) {
            return null;
        }
        double found = new PearsonsCorrelation(pairs.toArray(double[][]::new))
                .getCorrelationMatrix()
                .getEntry(0, 1);
        return Double.isNaN(found) ? null : found;
    }

    private static void write(OutputStream out, Result result) throws java.io.IOException {
        out.write((Json.compact(result) + "\n").getBytes(StandardCharsets.UTF_8));
    }

    private Line line(JsonNode line, String where, ModelFolder model) {
        int vocabulary = model.model().config().vocabulary().size();
        int[] clean = TrainingData.ids(line, "clean_input_ids", where, vocabulary);
        int[] corrupted = TrainingData.ids(line, "corrupted_input_ids", where, vocabulary);
        if (clean.length != corrupted.length || clean.length == 0) {
            throw CalmException.badInput(
                    where,
                    "clean_input_ids has " + clean.length + " tokens and corrupted_input_ids " + corrupted.length
                            + "; patching needs as many, at least one");
        }
        return new Line(
                PromptLines.id(line, where),
                clean,
                corrupted,
                PromptLines.token(model, line, "answer", where),
                PromptLines.token(model, line, "wrong", where));
    }

    private Result patch(Inspector inspector, Variants variants, Line line) {
        ModelConfig config = inspector.config();
        Set<String> names = new LinkedHashSet<>(List.of(HookPoint.LOGITS.name(0)));
        Set<String> streams = new LinkedHashSet<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            HookPoint.At place = new HookPoint.At(at.point, layer);
            names.add(place.name());
            streams.add(Variants.stream(place, config));
        }
        Selection points = Selection.of(config, names);
        try (Trace clean = inspector.run(line.clean, points)) {
            double[][] exact = null;
            double[][] attribution = null;
            double from = 0;
            if (methods.contains(Method.ATTRIBUTION)) {
                try (Trace corrupted = inspector.run(line.corrupted, points.withGradients(), line.metric())) {
                    from = metric(corrupted, line);
                    attribution = attribution(
                            inspector, line, clean, corrupted, gradients(inspector, line, corrupted, points), from);
                }
            }
            if (methods.contains(Method.EXACT)) {
                streams.add(HookPoint.LOGITS.name(0));
                try (Trace corrupted = inspector.run(line.corrupted, Selection.of(config, streams))) {
                    from = metric(corrupted, line);
                    exact = exact(inspector, variants, line, clean, corrupted);
                }
            }
            return exact == null
                    ? new Result(line.id, metric(clean, line), from, attribution, null)
                    : new Result(line.id, metric(clean, line), from, exact, attribution);
        }
    }

    private static double metric(Trace trace, Line line) {
        var logits = trace.value(HookPoint.LOGITS.name(0));
        long last = (line.clean.length - 1) * logits.rowSize();
        return logits.get(last + line.answer) - logits.get(last + line.wrong);
    }

    private double[][] exact(Inspector inspector, Variants variants, Line line, Trace clean, Trace corrupted) {
        double[][] effect = new double[inspector.config().layers()][];
        for (int layer = 0; layer < effect.length; layer++) {
            HookPoint.At place = new HookPoint.At(at.point, layer);
            double[] values = clean.values(place.name());
            List<Edit> edits = IntStream.range(0, columns(inspector, line))
                    .mapToObj(i -> Edit.replace(values, at == Point.Z ? Where.head(i) : Where.row(i)))
                    .toList();
            String stream = Variants.stream(place, inspector.config());
            effect[layer] = variants.logits(line.corrupted, place, corrupted.value(stream), edits).stream()
                    .mapToDouble(logits -> logits[line.answer] - logits[line.wrong])
                    .toArray();
        }
        return effect;
    }

    /** By name of the point: at the middle of each step. */
    private Map<String, double[]> gradients(Inspector inspector, Line line, Trace corrupted, Selection points) {
        Map<String, double[]> means = new LinkedHashMap<>();
        if (steps == 1) {
            add(means, corrupted, points);
            return means;
        }
        double[] from = embedded(inspector, line.corrupted);
        double[] to = embedded(inspector, line.clean);
        for (int step = 0; step < steps; step++) {
            double share = (step + 0.5) / steps;
            double[] between = new double[from.length];
            Arrays.setAll(between, i -> from[i] + share * (to[i] - from[i]));
            try (Inspector.Handle _ = inspector.edit(EMBEDDED, Edit.replace(between, Where.EVERYWHERE));
                    Trace trace = inspector.run(line.corrupted, points.withGradients(), line.metric())) {
                add(means, trace, points);
            }
        }
        return means;
    }

    private static double[] embedded(Inspector inspector, int[] tokens) {
        try (Trace trace = inspector.run(tokens, Selection.of(inspector.config(), Set.of(EMBEDDED)))) {
            return trace.values(EMBEDDED);
        }
    }

    private void add(Map<String, double[]> means, Trace trace, Selection points) {
        for (HookPoint.At place : points.points()) {
            if (place.point() == at.point) {
                double[] gradient = trace.values(place.name() + Trace.GRADIENT);
                double[] mean = means.computeIfAbsent(place.name(), none -> new double[gradient.length]);
                for (int i = 0; i < mean.length; i++) {
                    mean[i] += gradient[i] / steps;
                }
            }
        }
    }

    private double[][] attribution(
            Inspector inspector,
            Line line,
            Trace clean,
            Trace corrupted,
            Map<String, double[]> gradients,
            double from) {
        double[][] effect = new double[inspector.config().layers()][];
        for (int layer = 0; layer < effect.length; layer++) {
            String name = at.point.name(layer);
            double[] to = clean.values(name);
            double[] was = corrupted.values(name);
            double[] gradient = gradients.get(name);
            double[] sums = new double[columns(inspector, line)];
            int rowSize = to.length / line.clean.length;
            int width = at == Point.Z ? inspector.config().attention().headDim() : rowSize;
            IntStream.range(0, to.length)
                    .forEach(i ->
                            sums[at == Point.Z ? i % rowSize / width : i / width] += gradient[i] * (to[i] - was[i]));
            effect[layer] = IntStream.range(0, sums.length)
                    .mapToDouble(i -> from + sums[i])
                    .toArray();
        }
        return effect;
    }

    private int columns(Inspector inspector, Line line) {
        return at == Point.Z ? inspector.config().attention().heads() : line.clean.length;
    }
}
