package org.calm4j.engine.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.References;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.StepLog;
import org.calm4j.engine.train.StepObserver;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of {@code docs/inside-java.md}, which quotes them. */
final class InspectorExamplesTest {
    private final int[] tokens = {3, 1, 4, 1, 5, 9, 2, 6};
    private final int[] others = {3, 1, 4, 1, 5, 8, 2, 6};

    @TempDir
    private Path temp;

    private Backend backend;
    private ModelFolder folder;
    private CausalLm model;

    @BeforeEach
    void open() {
        Path path = OracleModel.folder("llama-tied");
        backend = Backends.open("cpu", 1);
        folder = ModelFolder.open(backend, path, null);
        model = folder.model();
    }

    @AfterEach
    void close() {
        folder.close();
        backend.close();
    }

    @Test
    void values() {
        double[] neurons;
        double[] logProbs;
        try (Inspector inspector = new Inspector(model, 64)) {
            Selection selection =
                    Selection.of(inspector.config(), "blocks.*.hook_resid_post", "blocks.0.mlp.hook_post");
            try (Trace trace = inspector.run(tokens, selection)) {
                neurons = trace.values("blocks.0.mlp.hook_post"); // (T,F), row by row
                logProbs = trace.logProbs(); // of each token after the first
            }
        }
        assertThat(neurons).hasSize(tokens.length * model.config().feedForward().size());
        assertThat(Arrays.stream(logProbs).filter(logProb -> logProb < 0)).hasSize(tokens.length - 1);
    }

    @Test
    void gradients() {
        double[] gradient;
        double[] difference;
        try (Inspector inspector = new Inspector(model, 64)) {
            Selection selection =
                    Selection.of(inspector.config(), "*.hook_resid_pre").withGradients();
            // The completion begins at the sixth token.
            try (Trace trace = inspector.run(tokens, 5, selection)) {
                gradient = trace.values("blocks.0.hook_resid_pre" + Trace.GRADIENT);
            }
            // The logit of token 2 less that of token 4, after the last row.
            List<Inspector.Target> targets = List.of(new Inspector.Target(7, 2, 1), new Inspector.Target(7, 4, -1));
            try (Trace trace = inspector.run(tokens, selection, targets)) {
                difference = trace.values("blocks.1.hook_resid_pre" + Trace.GRADIENT);
            }
        }
        assertThat(difference).hasSameSizeAs(gradient);
        // What comes after a token has no part in what is said before it.
        assertThat(Arrays.copyOfRange(gradient, 7 * model.config().hiddenSize(), gradient.length))
                .containsOnly(0);
        assertThat(Arrays.stream(gradient).anyMatch(value -> value != 0)).isTrue();
    }

    @Test
    void silencing() {
        double before;
        double after;
        double again;
        try (Inspector inspector = new Inspector(model, 64)) {
            Selection nothing = Selection.of(inspector.config(), "logits").layers(layer -> false);
            try (Trace trace = inspector.run(tokens, nothing)) {
                before = trace.logProbs()[6];
            }
            Edit silent = Edit.zero(Edit.Where.head(1));
            try (Inspector.Handle _ = inspector.edit("blocks.0.attn.hook_z", silent);
                    Trace trace = inspector.run(tokens, nothing)) {
                after = trace.logProbs()[6];
            }
            try (Trace trace = inspector.run(tokens, nothing)) {
                again = trace.logProbs()[6];
            }
        }
        assertThat(after).isNotEqualTo(before);
        assertThat(again).isEqualTo(before);
    }

    @Test
    void patching() {
        try (Inspector inspector = new Inspector(model, 64)) {
            String point = "blocks.1.hook_resid_pre";
            Selection selection = Selection.of(inspector.config(), point, "logits");
            double[] stream;
            double[] wanted;
            try (Trace clean = inspector.run(tokens, selection)) {
                stream = clean.values(point);
                wanted = clean.values("logits");
            }
            double[] patched;
            Edit patch = Edit.replace(stream, Edit.Where.row(5));
            try (Inspector.Handle _ = inspector.edit(point, patch);
                    Trace corrupted = inspector.run(others, selection)) {
                patched = corrupted.values("logits");
            }
            assertThat(patched).isNotEqualTo(wanted);
            // All positions of a layer are the other text.
            try (Inspector.Handle _ = inspector.edit(point, Edit.replace(stream, Edit.Where.EVERYWHERE));
                    Trace corrupted = inspector.run(others, selection)) {
                assertThat(corrupted.values("logits")).isEqualTo(wanted);
            }
        }
    }

    @Test
    void lens() {
        double[][] last = new double[model.config().layers() + 1][];
        double[] output;
        try (Inspector inspector = new Inspector(model, 64);
                Streams streams = Streams.of(inspector, tokens)) {
            int vocabulary = inspector.config().vocabulary().size();
            for (int layer = 0; layer < streams.count(); layer++) {
                double[] logits = inspector.unembed(streams.get(layer)); // (T,V)
                last[layer] = Arrays.copyOfRange(logits, logits.length - vocabulary, logits.length);
            }
        }
        try (Inspector inspector = new Inspector(model, 64);
                Trace trace = inspector.run(tokens, Selection.of(inspector.config(), "logits"))) {
            output = trace.values("logits");
        }
        double[] end = last[model.config().layers()];
        assertThat(end).isEqualTo(Arrays.copyOfRange(output, output.length - end.length, output.length));
    }

    @Test
    void limits() throws Exception {
        try (Inspector inspector = new Inspector(model, 64)) {
            Selection selection = Selection.of(inspector.config(), "*")
                    .layers(layer -> layer == 1)
                    .positions(6, 7)
                    .within(1 << 20);
            Path file = temp.resolve("values.safetensors");
            try (Trace trace = inspector.run(tokens, selection)) {
                Safetensors.write(file, trace.tensors().values(), Map.of("text", Arrays.toString(tokens)));
            }
            assertThat(file).exists();
            assertThatThrownBy(() -> inspector.run(tokens, selection.within(100)))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("choose fewer points");
            assertThatThrownBy(() -> Selection.of(inspector.config(), "blocks.0.hook_resid_pst"))
                    .hasMessageContaining("near it are");
        }
    }

    @Test
    void comparing() {
        List<int[]> english = List.of(new int[] {3, 1, 4}, new int[] {5, 9}, new int[] {2, 6, 5});
        List<int[]> japanese = List.of(new int[] {7, 8}, new int[] {1, 1, 9}, new int[] {6, 2});
        double[] cka = new double[model.config().layers() + 1];
        try (MeanStreams one = new MeanStreams(model, english);
                MeanStreams other = new MeanStreams(model, japanese)) {
            double[][][] x = one.run(); // by layer, text, dimension
            double[][][] y = other.run();
            for (int layer = 0; layer < x.length; layer++) {
                cka[layer] = Cka.linear(x[layer], y[layer]);
            }
        }
        assertThat(Arrays.stream(cka).filter(value -> value > 0 && value < 1 + 1e-9))
                .hasSize(cka.length);
    }

    /** Counts how often a neuron is on; forward only, and changes nothing. */
    private final class Counter implements Tap {
        private final int neuron;
        private int on;

        Counter(int neuron) {
            this.neuron = neuron;
        }

        @Override
        public boolean wants(HookPoint point, int layer) {
            return point == HookPoint.MLP_PRE && layer == 0;
        }

        @Override
        public void value(HookPoint point, int layer, Tensor value) {
            double[] rows = new double[Math.toIntExact(value.size())];
            backend.read(rows, value, rows.length);
            for (int i = neuron; i < rows.length; i += (int) value.rowSize()) {
                on += rows[i] > 0 ? 1 : 0;
            }
        }

        @Override
        public void gradient(HookPoint point, int layer, Tensor gradient) {}
    }

    @Test
    void training() {
        List<Example.Preference> pairs = List.of(
                new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
                new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 1));
        TrainSettings settings = new TrainSettings(
                2,
                0,
                true,
                new Schedule(Schedule.Kind.CONSTANT, 1e-3, 0, 0, 1),
                AdamW.DEFAULT,
                0,
                1,
                new PreferenceLoss.DpoSigmoid(0.1, 0),
                0.1,
                0,
                0,
                false,
                1);
        Counter counter = new Counter(5);
        try (ModelFolder trained = ModelFolder.openToTrain(backend, OracleModel.folder("llama-tied"));
                Trainer trainer = new Trainer(
                        trained.model(), settings, pairs, Replay.NONE, References.of(trained.model(), pairs, null))) {
            trainer.observe(new StepObserver() {
                @Override
                public Tap tap(int step, int pass, PackedBatch batch) {
                    return counter;
                }

                @Override
                public Map<String, Object> observe(Step step) {
                    double largest =
                            step.lines().stream().mapToDouble(Line::loss).max().orElseThrow();
                    return Map.of("neuron_5", counter.on, "largest_loss", largest);
                }
            });
            StepLog log = trainer.step(0);
            assertThat((double) log.observed().get("largest_loss")).isCloseTo(Math.log(2), within(1e-6));
        }
        assertThat(counter.on).isPositive();
    }
}
