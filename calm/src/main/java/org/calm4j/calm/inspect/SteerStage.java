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
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Steering;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.ModelFolder;

/**
 * Steering vectors: the mean of one group of texts at a hook point less that of another.
 *
 * @param at hook points, a name or a pattern
 * @param by field whose value tells the groups apart, such as {@code language}
 * @param from value of the lines to steer away from
 * @param to value of the lines to steer towards
 */
public record SteerStage(Path input, Path output, String at, String by, String from, String to, Tokens tokens) {
    /** What a text counts as. */
    public enum Tokens {
        /** The mean of its tokens. */
        MEAN,
        /** Its last token. */
        LAST;

        @Override
        public String toString() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    private record Line(int[] tokens, String group) {}

    /** @param norm of the vector */
    public record Vector(String name, double norm) {}

    /**
     * @param from lines to steer away from
     * @param to lines to steer towards
     */
    public record Summary(int from, int to, List<Vector> vectors) {}

    public Summary run(ModelFolder model, Progress progress) {
        Selection selection = Selection.of(model.model().config(), at);
        for (HookPoint.At each : selection.points()) {
            if (!each.point().isChangeable()) {
                throw CalmException.usage(each.name() + " can be read and not changed");
            }
        }
        List<Line> lines = PromptLines.read(input, (line, where) -> line(line, where, model));
        int away = count(lines, from);
        int towards = count(lines, to);
        int longest = lines.stream().mapToInt(line -> line.tokens.length).max().orElseThrow();
        Map<HookPoint.At, double[]> vectors = new LinkedHashMap<>();
        progress.start("steer", lines.size());
        try (Inspector inspector = new Inspector(model.model(), longest)) {
            for (int i = 0; i < lines.size(); i++) {
                Line line = lines.get(i);
                double share = line.group.equals(to) ? 1.0 / towards : line.group.equals(from) ? -1.0 / away : 0;
                if (share != 0) {
                    add(vectors, inspector, line.tokens, selection, share);
                }
                progress.at(i + 1, "");
            }
        } finally {
            progress.end();
        }
        new Steering(vectors).write(output, Map.of("format", "pt", "by", by, "from", from, "to", to));
        List<Vector> norms = new ArrayList<>();
        vectors.forEach((point, vector) -> norms.add(new Vector(
                point.name(), Math.sqrt(Arrays.stream(vector).map(x -> x * x).sum()))));
        return new Summary(away, towards, norms);
    }

    private Line line(JsonNode line, String where, ModelFolder model) {
        JsonNode group = line.path(by);
        if (!group.isValueNode() || group.isNull()) {
            throw CalmException.badInput(where, by + " is missing");
        }
        return new Line(PromptLines.tokens(model, line, where), group.asText());
    }

    private int count(List<Line> lines, String group) {
        int count =
                (int) lines.stream().filter(line -> line.group.equals(group)).count();
        if (count == 0) {
            throw CalmException.badInput(input, "has no line whose " + by + " is " + group);
        }
        return count;
    }

    private void add(
            Map<HookPoint.At, double[]> vectors, Inspector inspector, int[] text, Selection selection, double share) {
        boolean last = tokens == Tokens.LAST;
        try (Trace trace = inspector.run(text, last ? selection.positions(text.length - 1) : selection)) {
            double each = last ? share : share / text.length;
            for (HookPoint.At point : selection.points()) {
                double[] values = trace.values(point.name());
                int width = values.length / (last ? 1 : text.length);
                double[] vector = vectors.computeIfAbsent(point, none -> new double[width]);
                for (int i = 0; i < values.length; i++) {
                    vector[i % width] += each * values[i];
                }
            }
        }
    }
}
