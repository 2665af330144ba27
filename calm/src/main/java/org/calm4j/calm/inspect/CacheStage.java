package org.calm4j.calm.inspect;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.tool.ScoredText;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.io.StoredType;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * Texts in, values and gradients at hook points out: a safetensors file with {@code ID/NAME} and {@code ID/NAME_grad}, F32. One text's
 * values are in memory at a time.
 *
 * @param names of hook points, or patterns
 * @param maxBytes of one text's values
 */
public record CacheStage(Path input, Path output, List<String> names, boolean gradients, long maxBytes) {
    /** What was written. */
    public record Summary(int texts, int tensors, long bytes) {}

    /** A tensor of the file before it is computed. */
    private record Planned(int text, String name, Tensor place) {}

    public Summary run(ModelFolder model, Progress progress) {
        ModelConfig config = model.model().config();
        Selection chosen = Selection.of(config, names).within(maxBytes);
        Selection selection = gradients ? chosen.withGradients() : chosen;
        List<ScoredText> texts = ScoredText.read(input, model);
        int longest =
                texts.stream().mapToInt(text -> text.tokens().length).max().orElseThrow();
        selection.check(config, model.model().backend().computeType(), longest);
        progress.start("inspect", texts.size());
        try (Inspector inspector = new Inspector(model.model(), longest);
                Current current = new Current(inspector, selection, texts, progress)) {
            List<Planned> plan = plan(texts, selection, config);
            Map<String, Planned> byName = new HashMap<>();
            for (Planned each : plan) {
                if (byName.put(each.place.name(), each) != null) {
                    throw CalmException.badInput(
                            input,
                            "has two lines with id " + texts.get(each.text).id().asText());
                }
            }
            List<Tensor> places = plan.stream().map(Planned::place).toList();
            Safetensors.write(output, places, Map.of("format", "pt"), new StoredType(DType.F32), place -> {
                Planned planned = byName.get(place.name());
                return current.take(planned.text, planned.name);
            });
            return new Summary(
                    texts.size(),
                    places.size(),
                    places.stream().mapToLong(Tensor::bytes).sum());
        } finally {
            progress.end();
        }
    }

    private static List<Planned> plan(List<ScoredText> texts, Selection selection, ModelConfig config) {
        List<Planned> plan = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            int rows = texts.get(i).tokens().length;
            for (HookPoint.At at : selection.points()) {
                long[] shape = at.point().shape(config, rows);
                for (String name : selection.gradients() && at.point() != HookPoint.LOGITS
                        ? List.of(at.name(), at.name() + Trace.GRADIENT)
                        : List.of(at.name())) {
                    String whole = texts.get(i).id().asText() + "/" + name;
                    Buffer unmade = new Unmade(4 * Arrays.stream(shape).reduce(1, Math::multiplyExact));
                    plan.add(new Planned(i, name, new Tensor(whole, unmade, 0, DType.F32, shape)));
                }
            }
        }
        return plan;
    }

    /** The memory of a tensor that is not made yet. */
    private record Unmade(long bytes) implements Buffer {
        @Override
        public void read(long offset, MemorySegment to) {
            throw new IllegalStateException("not made yet");
        }

        @Override
        public void close() {}
    }

    /** The text whose values are in memory. */
    private static final class Current implements AutoCloseable {
        private final Inspector inspector;
        private final Selection selection;
        private final List<ScoredText> texts;
        private final Progress progress;
        private int text = -1;
        private Trace trace;

        Current(Inspector inspector, Selection selection, List<ScoredText> texts, Progress progress) {
            this.inspector = inspector;
            this.selection = selection;
            this.texts = texts;
            this.progress = progress;
        }

        /** A tensor of a text, which then belongs to the caller; texts come in their order. */
        Tensor take(int wanted, String name) {
            if (wanted != text) {
                close();
                text = wanted;
                int[] tokens = texts.get(text).tokens();
                trace = selection.gradients()
                        ? inspector.run(tokens, texts.get(text).start(), selection)
                        : inspector.run(tokens, selection);
                progress.at(text + 1, "");
            }
            return trace.take(name);
        }

        @Override
        public void close() {
            if (trace != null) {
                trace.close();
                trace = null;
            }
        }
    }
}
