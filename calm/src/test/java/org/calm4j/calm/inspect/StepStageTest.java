package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.RealMatrix;
import org.apache.commons.math3.linear.SingularValueDecomposition;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.Options;
import org.calm4j.calm.option.PreferenceOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.option.TrainingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StepStageTest {
    private static final String PAIRS = """
            {"language": "en", "prompt_input_ids": [3, 1], "chosen_input_ids": [4, 1], "rejected_input_ids": [5]}
            {"language": "ja", "prompt_input_ids": [2], "chosen_input_ids": [7, 1], "rejected_input_ids": [8, 2, 8]}
            {"language": "en", "prompt_input_ids": [9, 2, 6], "chosen_input_ids": [5], "rejected_input_ids": [3]}
            {"prompt_input_ids": [1, 6], "chosen_input_ids": [1, 8], "rejected_input_ids": [0, 3]}
            """;
    private static final Map<String, Object> TRAINING = Map.of("max_steps", 4, "batch_size", 4, "learning_rate", 1e-2);

    @TempDir
    private Path folder;

    private final Backend backend = new SimdBackend(2);

    @AfterEach
    void close() {
        backend.close();
    }

    private Path file(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content);
    }

    private Path train(String command, Path data, int saveSteps) {
        Path run = folder.resolve(command);
        new TrainStage(
                        command,
                        OracleModel.folder("qwen3"),
                        null,
                        null,
                        data,
                        run,
                        Options.make(TrainingOptions.class, TRAINING),
                        command.equals("dpo") ? Options.make(PreferenceOptions.class, Map.of("beta", 0.3)) : null,
                        SavingOptions.every(saveSteps, false),
                        5)
                .run(backend, Progress.NONE);
        return run;
    }

    private StepStage stage(int step, Path questions, List<Integer> checkpoints) {
        return new StepStage(folder.resolve("step.jsonl"), step, 2, questions, checkpoints, 1 << 20);
    }

    @Test
    void theStepIsTheRunsOwn() throws IOException {
        Path run = train("dpo", file("pairs.jsonl", PAIRS), 2);
        List<JsonNode> metrics = Jsonl.read(run.resolve("metrics.jsonl"), JsonNode.class);
        for (int step : new int[] {1, 4}) {
            StepFindings found = stage(step, null, List.of()).run(run, backend, Progress.NONE);
            JsonNode metric = metrics.get(step - 1);
            assertThat(found.step().loss()).isEqualTo(metric.path("loss").doubleValue());
            assertThat(found.step().gradientNorm())
                    .isEqualTo(metric.path("grad_norm").doubleValue());
            assertThat(found.step().lines()).containsExactlyInAnyOrder(1, 2, 3, 4);
            for (String kind : List.of("tensor", "layer")) {
                double squares = found.norms().stream()
                        .filter(each -> each.kind().equals(kind))
                        .mapToDouble(each -> each.gradientNorm() * each.gradientNorm())
                        .sum();
                assertThat(Math.sqrt(squares)).isCloseTo(found.step().gradientNorm(), within(1e-6));
            }
            assertThat(found.languages())
                    .extracting(StepFindings.Language::language)
                    .containsExactly("en", "ja", "none");
            // |Σ g|² = Σ |gᵢ|² + 2 Σ |gᵢ| |gⱼ| cos.
            Map<String, Double> norms = new HashMap<>();
            found.languages().forEach(each -> norms.put(each.language(), each.gradientNorm()));
            double whole =
                    norms.values().stream().mapToDouble(norm -> norm * norm).sum();
            for (StepFindings.Cosine each : found.cosines()) {
                if (each.layer() == null) {
                    whole += 2
                            * norms.get(each.languages().get(0))
                            * norms.get(each.languages().get(1))
                            * each.cosine();
                }
            }
            assertThat(Math.sqrt(whole)).isCloseTo(found.step().gradientNorm(), within(1e-5));
            assertThat(found.overlaps())
                    .hasSize(3
                            * (int) found.norms().stream()
                                    .filter(each -> each.kind().equals("tensor")
                                            && !each.name().contains("norm"))
                                    .count());
            assertThat(Jsonl.read(folder.resolve("step.jsonl"), JsonNode.class))
                    .hasSize(1
                            + found.norms().size()
                            + found.languages().size()
                            + found.cosines().size()
                            + found.overlaps().size()
                            + found.lines().size());
        }
    }

    @Test
    void aRunThatIsNotTakenYetIsTheSame() throws IOException {
        Path data = file("pairs.jsonl", PAIRS);
        StepFindings past = stage(3, null, List.of()).run(train("dpo", data, 1), backend, Progress.NONE);
        Map<String, Object> given = new HashMap<>(TRAINING);
        given.put("beta", 0.3);
        StepFindings now = stage(3, null, List.of())
                .run(
                        OracleModel.folder("qwen3"),
                        null,
                        data,
                        Options.make(DpoOptions.class, given),
                        5,
                        backend,
                        Progress.NONE);
        assertThat(now).usingRecursiveComparison().isEqualTo(past);
    }

    /** A document's gradient is that of its own log-probability, backwards and by its length. */
    @Test
    void aDocumentRaisesItself() throws IOException {
        Path data = file("texts.jsonl", """
                {"language": "en", "input_ids": [3, 1, 4, 1, 5], "completion_start": 2}
                {"language": "ja", "input_ids": [2, 7, 1], "completion_start": 1}
                """);
        Path questions = file("questions.jsonl", """
                {"id": "own", "input_ids": [3, 1, 4, 1, 5], "completion_start": 2}
                """);
        Path run = train("sft", data, 1);
        double sum = 0;
        double[] single = new double[2];
        for (int before : new int[] {0, 3}) {
            StepFindings found = stage(before + 1, questions, List.of()).run(run, backend, Progress.NONE);
            StepFindings.Influence own = found.influences().getFirst();
            assertThat(own.line()).isEqualTo(1);
            assertThat(own.cosine()).isCloseTo(1, within(1e-6));
            double share = found.lines().stream()
                    .filter(each -> each.line() == 1)
                    .findFirst()
                    .orElseThrow()
                    .gradientNorm();
            // Of a mean over two lines and over three tokens.
            double gradient = 2 * share;
            assertThat(own.influence())
                    .isCloseTo(found.step().learningRate() * 3 * gradient * gradient, within(1e-5 * own.influence()));
            single[Integer.signum(before)] = own.influence();
            sum += own.influence();
        }
        assertThat(single[0]).isNotCloseTo(single[1], within(1e-3 * single[0]));
        StepFindings.Influence both = stage(2, questions, List.of(3, 0))
                .run(run, backend, Progress.NONE)
                .influences()
                .getFirst();
        assertThat(both.influence()).isCloseTo(sum, within(1e-9));
    }

    @Test
    void whatDoesNotFitSaysWhatWould() throws IOException {
        Path run = train("dpo", file("pairs.jsonl", PAIRS), 0);
        StepStage small = new StepStage(folder.resolve("step.jsonl"), 1, 0, null, List.of(), 3_000);
        assertThatThrownBy(() -> small.run(run, backend, Progress.NONE))
                .hasMessageContaining("gradients of 3 languages")
                .hasMessageContaining("would fit");
        assertThatThrownBy(() -> stage(5, null, List.of()).run(run, backend, Progress.NONE))
                .hasMessageContaining("from 1 to the run's 4");
        assertThat(folder.resolve("step.jsonl")).doesNotExist();
    }

    @Test
    void directionsAreThoseOfTheSingularValues() {
        int rows = 40;
        int columns = 25;
        int count = 3;
        double[][] values = new double[rows][columns];
        try (HostBuffer memory = new HostBuffer(8L * rows * columns)) {
            Tensor x = new Tensor("x", memory, 0, DType.F64, rows, columns);
            for (int i = 0; i < rows * columns; i++) {
                // Singular values of different sizes.
                x.set(i, CounterRandom.normal(3, i) * Math.pow(0.8, i % columns));
                values[i / columns][i % columns] = x.get(i);
            }
            SingularValueDecomposition exact = new SingularValueDecomposition(new Array2DRowRealMatrix(values));
            Subspace found = Subspace.of(x, count);
            RealMatrix left = exact.getU().getSubMatrix(0, rows - 1, 0, count - 1);
            RealMatrix right = exact.getV().getSubMatrix(0, columns - 1, 0, count - 1);
            assertThat(Subspace.overlap(Subspace.angles(found.left(), left))).isCloseTo(1, within(1e-6));
            assertThat(Subspace.overlap(Subspace.angles(found.right(), right))).isCloseTo(1, within(1e-6));
        }
    }

    @Test
    void anglesAreThoseBetweenPlanes() {
        double turn = Math.toRadians(30);
        RealMatrix plane = new Array2DRowRealMatrix(new double[][] {{1, 0}, {0, 1}, {0, 0}});
        RealMatrix turned = new Array2DRowRealMatrix(new double[][] {{0, 1}, {Math.cos(turn), 0}, {Math.sin(turn), 0}});
        double[] angles = Subspace.angles(plane, turned);
        assertThat(angles[0]).isCloseTo(0, within(1e-6));
        assertThat(angles[1]).isCloseTo(30, within(1e-6));
        assertThat(Subspace.overlap(angles)).isCloseTo((1 + 0.75) / 2, within(1e-9));
        try (HostBuffer memory = new HostBuffer(48)) {
            Tensor one = new Tensor("one", memory, 0, DType.F64, 3, 2);
            assertThat(Subspace.of(one, 2).isEmpty()).isTrue();
            // Of rank one.
            for (int i = 0; i < 6; i++) {
                one.set(i, (i / 2 + 1) * (i % 2 + 1));
            }
            Subspace line = Subspace.of(one, 2);
            assertThat(line.left().getColumnDimension()).isEqualTo(1);
            double[] direction = line.right().getColumn(0);
            assertThat(Arrays.stream(direction).map(Math::abs).toArray())
                    .containsExactly(new double[] {1 / Math.sqrt(5), 2 / Math.sqrt(5)}, within(1e-9));
        }
    }
}
