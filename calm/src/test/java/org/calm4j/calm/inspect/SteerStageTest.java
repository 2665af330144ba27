package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.inspect.Edit;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Steering;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SteerStageTest {
    private static final String POINT = "blocks.0.hook_resid_post";
    private static final int[] PROMPT = {3, 1, 4};

    @TempDir
    private Path folder;

    private Backend backend;
    private ModelFolder model;

    @BeforeEach
    void open() {
        backend = new SimdBackend(1);
        model = ModelFolder.open(backend, OracleModel.folder("qwen3"), null);
    }

    @AfterEach
    void close() {
        model.close();
        backend.close();
    }

    private Path file(String content) throws IOException {
        return Files.writeString(folder.resolve("in.jsonl"), content);
    }

    private SteerStage stage(SteerStage.Tokens tokens) throws IOException {
        return new SteerStage(
                file("""
                        {"id": 1, "right": true, "input_ids": [3, 1, 4]}
                        {"id": 2, "right": false, "input_ids": [1, 5]}
                        {"id": 3, "right": true, "input_ids": [9, 2, 6, 5]}
                        {"id": 4, "right": "unknown", "input_ids": [7]}
                        """),
                folder.resolve("v.safetensors"),
                "blocks.*.hook_resid_post",
                "right",
                "false",
                "true",
                tokens);
    }

    private double[] vector() {
        try (Safetensors opened = Safetensors.open(folder.resolve("v.safetensors"))) {
            Tensor tensor = opened.tensors().get(POINT);
            double[] values = new double[(int) tensor.size()];
            Arrays.setAll(values, tensor::get);
            return values;
        }
    }

    /** The mean of some rows at the point. */
    private double[] mean(int[] tokens, int from) {
        try (Inspector inspector = new Inspector(model.model(), 8);
                Trace trace = inspector.run(tokens, Selection.of(inspector.config(), POINT))) {
            double[] values = trace.values(POINT);
            int width = inspector.config().hiddenSize();
            double[] mean = new double[width];
            for (int i = from * width; i < values.length; i++) {
                mean[i % width] += values[i] / (tokens.length - from);
            }
            return mean;
        }
    }

    @Test
    void aVectorIsTheDifferenceOfTheGroupsMeans() throws IOException {
        for (SteerStage.Tokens tokens : SteerStage.Tokens.values()) {
            boolean last = tokens == SteerStage.Tokens.LAST;
            SteerStage.Summary summary = stage(tokens).run(model, Progress.NONE);
            assertThat(summary.vectors()).hasSize(model.model().config().layers());
            assertThat(List.of(summary.from(), summary.to())).containsExactly(1, 2);
            double[] one = mean(new int[] {3, 1, 4}, last ? 2 : 0);
            double[] two = mean(new int[] {9, 2, 6, 5}, last ? 3 : 0);
            double[] wrong = mean(new int[] {1, 5}, last ? 1 : 0);
            double[] vector = vector();
            for (int i = 0; i < vector.length; i++) {
                assertThat(vector[i]).isCloseTo((one[i] + two[i]) / 2 - wrong[i], within(1e-6));
            }
        }
    }

    private Completion generate(ModelFolder with) {
        Sampling sampling = Sampling.greedy(6);
        return new Generator(with)
                .generate(List.of(PROMPT), sampling, done -> {})
                .getFirst()
                .getFirst();
    }

    @Test
    void steeredGenerationIsTheEditedModels() throws IOException {
        double[] vector = new double[model.model().config().hiddenSize()];
        Arrays.setAll(vector, i -> Math.sin(i + 1));
        Steering steering = new Steering(Map.of(new HookPoint.At(HookPoint.RESID_POST, 0), vector));
        Completion plain = generate(model);
        Completion none = generate(model.with(steering.on(model.model(), 0)));
        assertThat(none.tokens()).isEqualTo(plain.tokens());
        assertThat(none.logProbs()).isEqualTo(plain.logProbs());

        Completion steered = generate(model.with(steering.on(model.model(), 3)));
        assertThat(steered.logProbs()).isNotEqualTo(plain.logProbs());
        int[] text = Arrays.copyOf(PROMPT, PROMPT.length + steered.tokens().length);
        System.arraycopy(steered.tokens(), 0, text, PROMPT.length, steered.tokens().length);
        Edit edit = Edit.add(Arrays.stream(vector).map(x -> 3 * x).toArray(), Edit.Where.EVERYWHERE);
        try (Inspector inspector = new Inspector(model.model(), text.length);
                Inspector.Handle _ = inspector.edit(POINT, edit);
                Trace trace = inspector.run(text, Selection.of(inspector.config(), POINT))) {
            for (int i = 0; i < steered.tokens().length; i++) {
                assertThat(steered.logProbs()[i]).isCloseTo(trace.logProbs()[PROMPT.length - 1 + i], within(1e-5));
            }
        }
    }

    @Test
    void whatCannotSteerIsNamed() throws IOException {
        SteerStage none =
                new SteerStage(file("""
                {"id": 1, "language": "en", "input_ids": [3]}
                """), folder.resolve("x"), POINT, "language", "ja", "en", SteerStage.Tokens.MEAN);
        assertThatThrownBy(() -> none.run(model, Progress.NONE)).hasMessageContaining("no line whose language is ja");
        assertThat(folder.resolve("x")).doesNotExist();
        stage(SteerStage.Tokens.MEAN).run(model, Progress.NONE);
        Path file = folder.resolve("v.safetensors");
        assertThat(Steering.read(file, model.model().config()).vectors())
                .hasSize(model.model().config().layers());
        Path weights = OracleModel.folder("qwen3").resolve("model.safetensors");
        assertThatThrownBy(() -> Steering.read(weights, model.model().config()))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("no name of a hook point");
        new Steering(Map.of(new HookPoint.At(HookPoint.RESID_POST, 0), new double[3])).write(file, Map.of());
        assertThatThrownBy(() -> Steering.read(file, model.model().config())).hasMessageContaining("has 3 values");
    }
}
