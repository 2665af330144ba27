package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.data.TrainingData;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.inspect.Edit;
import org.calm4j.engine.inspect.Edit.Where;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.ModelFolder;

/**
 * Activation patching: how far a value of the clean text's run, put into the corrupted text's run, brings the answer back. The metric is the
 * logit of the answer minus that of the wrong one, at the last position.
 *
 * @param at where values are put in: at each position, or for {@link Point#Z} by head at all positions
 */
public record PatchStage(Path input, Path output, Point at, Method method) {
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
        /** A run for each. */
        EXACT,
        /** Their first order for all at once, from one backward pass (Nanda 2023): metric + gradient · (clean − corrupted). */
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

    private record Result(
            JsonNode id,
            @JsonProperty("clean") double clean,
            @JsonProperty("corrupted") double corrupted,
            double[][] effect) {}

    /** Returns the number of lines. */
    public int run(ModelFolder model, Progress progress) {
        List<Line> lines = PromptLines.read(input, (line, where) -> line(line, where, model));
        int longest = lines.stream().mapToInt(line -> line.clean.length).max().orElseThrow();
        progress.start("patch", lines.size());
        try (Inspector inspector = new Inspector(model.model(), longest)) {
            AtomicFile.write(output, out -> {
                for (int i = 0; i < lines.size(); i++) {
                    write(out, patch(inspector, lines.get(i)));
                    progress.at(i + 1, "");
                }
            });
        } finally {
            progress.end();
        }
        return lines.size();
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

    private Result patch(Inspector inspector, Line line) {
        Selection points =
                Selection.of(inspector.config(), at.point.name(0).replace(".0.", ".*."), HookPoint.LOGITS.name(0));
        try (Trace clean = inspector.run(line.clean, points);
                Trace corrupted = method == Method.EXACT
                        ? inspector.run(line.corrupted, points)
                        : inspector.run(line.corrupted, points.withGradients(), line.metric())) {
            double from = metric(corrupted, line);
            double[][] effect = method == Method.EXACT
                    ? exact(inspector, line, clean)
                    : attribution(inspector, line, clean, corrupted, from);
            return new Result(line.id, metric(clean, line), from, effect);
        }
    }

    private static double metric(Trace trace, Line line) {
        var logits = trace.value(HookPoint.LOGITS.name(0));
        long last = (line.clean.length - 1) * logits.rowSize();
        return logits.get(last + line.answer) - logits.get(last + line.wrong);
    }

    private double[][] exact(Inspector inspector, Line line, Trace clean) {
        Selection logits = Selection.of(inspector.config(), HookPoint.LOGITS.name(0));
        double[][] effect = new double[inspector.config().layers()][];
        for (int layer = 0; layer < effect.length; layer++) {
            String name = at.point.name(layer);
            double[] values = clean.values(name);
            effect[layer] = new double[columns(inspector, line)];
            for (int i = 0; i < effect[layer].length; i++) {
                Where where = at == Point.Z ? Where.head(i) : Where.row(i);
                try (Inspector.Handle _ = inspector.edit(name, Edit.replace(values, where));
                        Trace trace = inspector.run(line.corrupted, logits)) {
                    effect[layer][i] = metric(trace, line);
                }
            }
        }
        return effect;
    }

    private double[][] attribution(Inspector inspector, Line line, Trace clean, Trace corrupted, double from) {
        double[][] effect = new double[inspector.config().layers()][];
        for (int layer = 0; layer < effect.length; layer++) {
            String name = at.point.name(layer);
            double[] to = clean.values(name);
            double[] was = corrupted.values(name);
            double[] gradient = corrupted.values(name + Trace.GRADIENT);
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
