package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.data.Percentage.withPercentage;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.calm.inspect.SimilarityStage.Similarity;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.tool.ScoreStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.inspect.Cka;
import org.calm4j.engine.inspect.Edit;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class InspectStagesTest {
    private static final String TEXTS = """
            {"id": "a", "input_ids": [3, 1, 4, 1, 5, 9, 2], "completion_start": 3}
            {"id": 7, "input_ids": [2, 7, 1, 8], "completion_start": 1}
            """;

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

    private Path output(String name) {
        return folder.resolve(name);
    }

    @Test
    void theInventoryHasEachTensorOfTheFile() {
        Inventory inventory = Inventory.of(model, Progress.NONE);
        try (Safetensors file = Safetensors.openFolder(OracleModel.folder("qwen3"))) {
            assertThat(inventory.tensors())
                    .extracting(Inventory.Part::name)
                    .hasSameElementsAs(file.tensors().keySet());
            for (Inventory.Part part : inventory.tensors()) {
                Tensor tensor = file.tensors().get(part.name());
                double squares = 0;
                double largest = 0;
                for (int i = 0; i < tensor.size(); i++) {
                    squares += tensor.get(i) * tensor.get(i);
                    largest = Math.max(largest, Math.abs(tensor.get(i)));
                }
                assertThat(part.shape()).isEqualTo(tensor.shape());
                assertThat(part.type()).isEqualTo(tensor.type().name());
                assertThat(part.bytes()).isEqualTo(tensor.bytes());
                assertThat(part.norm()).isCloseTo(Math.sqrt(squares), within(1e-9));
                assertThat(part.largest()).isEqualTo(largest).isPositive();
            }
        }
        assertThat(inventory.modelType()).isEqualTo("qwen3");
        assertThat(inventory.parameters()).isEqualTo(model.model().config().parameters());
    }

    @Test
    void theCacheHasWhatTheInspectorSees() throws IOException {
        List<String> names = List.of("blocks.1.*", "logits");
        CacheStage.Summary summary =
                new CacheStage(file(TEXTS), output("c.safetensors"), names, true, 1 << 20).run(model, Progress.NONE);
        try (Safetensors cache = Safetensors.open(output("c.safetensors"));
                Inspector inspector = new Inspector(model.model(), 8);
                Trace trace = inspector.run(
                        new int[] {2, 7, 1, 8},
                        1,
                        Selection.of(inspector.config(), names).withGradients())) {
            assertThat(cache.tensors())
                    .hasSize(summary.tensors())
                    .hasSize(2 * trace.tensors().size());
            for (String name : trace.tensors().keySet()) {
                Tensor written = cache.tensors().get("7/" + name);
                assertThat(written.shape()).isEqualTo(trace.tensors().get(name).shape());
                double[] values = trace.values(name);
                for (int i = 0; i < values.length; i++) {
                    assertThat(written.get(i)).isEqualTo(values[i]);
                }
            }
        }
    }

    @Test
    void theLastLayersLensIsTheModelsOutput() throws IOException {
        new LensStage(file(TEXTS), output("lens.jsonl"), null, 3).run(model, Progress.NONE);
        new ScoreStage(file(TEXTS), output("scores.jsonl")).run(model, Progress.NONE);
        List<JsonNode> lens = Jsonl.read(output("lens.jsonl"), JsonNode.class);
        int last = model.model().config().layers();
        assertThat(lens).hasSize((last + 1) * (7 + 4));
        for (JsonNode score : Jsonl.read(output("scores.jsonl"), JsonNode.class)) {
            int start = score.path("completion_start").intValue();
            for (int i = 0; i < score.path("logprobs").size(); i++) {
                int position = start + i - 1;
                JsonNode line = lens.stream()
                        .filter(each -> each.path("id").equals(score.path("id"))
                                && each.path("layer").intValue() == last
                                && each.path("position").intValue() == position)
                        .findFirst()
                        .orElseThrow();
                assertThat(line.path("logprob").doubleValue())
                        .isCloseTo(score.path("logprobs").get(i).doubleValue(), within(1e-5));
                assertThat(line.path("top").get(0).path("logprob").doubleValue())
                        .isGreaterThanOrEqualTo(line.path("logprob").doubleValue())
                        .isGreaterThanOrEqualTo(
                                line.path("top").get(1).path("logprob").doubleValue());
            }
        }
        assertThat(lens.getLast().path("logprob").isNull()).isTrue();
    }

    @Test
    void attentionIsThatOfTheCache() throws IOException {
        List<AttentionStage.Head> heads = List.of(new AttentionStage.Head(1, 2));
        AttentionStage.Result found = new AttentionStage(file(TEXTS), output("s.jsonl"), output("a.html"), heads, 1)
                .run(model, Progress.NONE);
        int all = 4 * model.model().config().layers();
        assertThat(found.scores()).hasSize(all);
        assertThat(Jsonl.read(output("s.jsonl"), JsonNode.class)).hasSize(all);
        try (Inspector inspector = new Inspector(model.model(), 8);
                Trace trace = inspector.run(
                        new int[] {2, 7, 1, 8}, Selection.of(inspector.config(), "blocks.1.attn.hook_pattern"))) {
            double[] pattern = trace.values("blocks.1.attn.hook_pattern");
            double[][] rows = found.texts().get(1).heads().getFirst().rows();
            assertThat(rows.length).isEqualTo(4);
            for (int query = 0; query < 4; query++) {
                for (int key = 0; key <= query; key++) {
                    assertThat(rows[query][key]).isEqualTo(pattern[2 * 16 + query * 4 + key]);
                }
            }
        }
        assertThat(output("a.html"))
                .content()
                .contains("Layer 1, head 2", ">100</td>", "Induction")
                .doesNotContain("{{", "http://", "https://");
        assertThatThrownBy(() -> new AttentionStage(
                                file(TEXTS), output("x"), null, List.of(new AttentionStage.Head(9, 0)), 1)
                        .run(model, Progress.NONE))
                .hasMessageContaining("no head 9.0");
    }

    @Test
    void attributionsSumToThePatchsMetric() throws IOException {
        Path lines = file("""
                {"id": "p", "input_ids": [3, 1, 4, 1], "clean_input_ids": [3, 1, 4, 1], "corrupted_input_ids": [3, 2, 4, 1], "answer": 5, "wrong": 6}
                """);
        new AttributionStage(lines, output("terms")).run(model, Progress.NONE);
        new PatchStage(lines, output("patch"), PatchStage.Point.Z, Set.of(PatchStage.Method.EXACT), 1)
                .run(model, Progress.NONE);
        JsonNode terms = Jsonl.read(output("terms"), JsonNode.class).getFirst();
        assertThat(terms.path("logit_difference"))
                .isEqualTo(
                        Jsonl.read(output("patch"), JsonNode.class).getFirst().path("clean"));
        double sum = terms.path("embed").doubleValue();
        for (int layer = 0; layer < model.model().config().layers(); layer++) {
            assertThat(terms.path("heads").get(layer)).hasSize(4);
            for (JsonNode head : terms.path("heads").get(layer)) {
                sum += head.doubleValue();
            }
            sum += terms.path("mlp").get(layer).doubleValue();
        }
        assertThat(sum).isCloseTo(terms.path("logit_difference").doubleValue(), within(1e-5));
    }

    @Test
    void patchingTheLastPositionOfTheLastStreamGivesTheCleanAnswer() throws IOException {
        String line = """
                {"id": "p", "clean_input_ids": [3, 1, 4, 1], "corrupted_input_ids": [3, 2, 4, 1], "answer": 5, "wrong": 6}
                """;
        for (PatchStage.Point point : PatchStage.Point.values()) {
            new PatchStage(file(line), output("exact"), point, Set.of(PatchStage.Method.EXACT), 1)
                    .run(model, Progress.NONE);
            new PatchStage(file(line), output("first"), point, Set.of(PatchStage.Method.ATTRIBUTION), 1)
                    .run(model, Progress.NONE);
            JsonNode exact = Jsonl.read(output("exact"), JsonNode.class).getFirst();
            JsonNode first = Jsonl.read(output("first"), JsonNode.class).getFirst();
            assertThat(first.path("clean")).isEqualTo(exact.path("clean"));
            double corrupted = exact.path("corrupted").doubleValue();
            assertThat(first.path("corrupted").doubleValue()).isCloseTo(corrupted, within(1e-5));
            int layers = model.model().config().layers();
            assertThat(exact.path("effect")).hasSize(layers);
            JsonNode lastLayer = exact.path("effect").get(layers - 1);
            assertThat(lastLayer).hasSize(4);
            if (point == PatchStage.Point.RESID_POST) {
                assertThat(lastLayer.get(3)).isEqualTo(exact.path("clean"));
                assertThat(lastLayer.get(0).doubleValue()).isEqualTo(corrupted);
            }
            if (point == PatchStage.Point.RESID_PRE) {
                // What the texts have in common is the same before the first layer, and putting it in changes nothing.
                assertThat(exact.path("effect").get(0).get(0).doubleValue()).isEqualTo(corrupted);
                assertThat(exact.path("effect").get(0).get(1)).isEqualTo(exact.path("clean"));
                assertThat(first.path("effect").get(0).get(0).doubleValue()).isCloseTo(corrupted, within(1e-5));
            }
        }
    }

    /**
     * Gradients on the way from one text to the other sum to the difference of their metrics, whatever stream they are of: at the first one by
     * the fundamental theorem (Sundararajan et al. 2017, completeness), and there alone to any accuracy. One step is the gradient at the middle.
     */
    @Test
    void integratedGradientsSumToTheDifference() throws IOException {
        String line = """
                {"id": "p", "clean_input_ids": [3, 1, 4, 1], "corrupted_input_ids": [3, 2, 7, 5], "answer": 5, "wrong": 6}
                """;
        double[] missing = new double[3];
        int[] steps = {1, 4, 32};
        for (int i = 0; i < steps.length; i++) {
            new PatchStage(
                            file(line),
                            output("first"),
                            PatchStage.Point.RESID_PRE,
                            Set.of(PatchStage.Method.ATTRIBUTION),
                            steps[i])
                    .run(model, Progress.NONE);
            JsonNode found = Jsonl.read(output("first"), JsonNode.class).getFirst();
            double corrupted = found.path("corrupted").doubleValue();
            double difference = found.path("clean").doubleValue() - corrupted;
            double sum = 0;
            for (JsonNode effect : found.path("effect").get(0)) {
                sum += effect.doubleValue() - corrupted;
            }
            missing[i] = Math.abs(sum - difference) / Math.abs(difference);
        }
        assertThat(missing[2]).isLessThan(5e-3);
        assertThat(missing[0]).isGreaterThan(10 * missing[2]);
        assertThat(missing[1]).isLessThan(missing[0]);
        assertThatThrownBy(() -> new PatchStage(
                        file(line), output("x"), PatchStage.Point.Z, Set.of(PatchStage.Method.ATTRIBUTION), 0))
                .hasMessageContaining("must be at least 1");
    }

    @Test
    void bothMethodsAreComparedByWhatTheyAdd() throws IOException {
        Path lines = file("""
                {"id": 1, "clean_input_ids": [3, 1, 4, 1], "corrupted_input_ids": [3, 2, 4, 1], "answer": 5, "wrong": 6}
                {"id": 2, "clean_input_ids": [2, 7, 1], "corrupted_input_ids": [2, 8, 5], "answer": 1, "wrong": 9}
                """);
        PatchStage.Point at = PatchStage.Point.MLP_OUT;
        Map<PatchStage.Method, List<JsonNode>> alone = new HashMap<>();
        for (PatchStage.Method method : PatchStage.Method.values()) {
            PatchStage.Summary found =
                    new PatchStage(lines, output("alone"), at, Set.of(method), 1).run(model, Progress.NONE);
            assertThat(found.correlation()).isNull();
            alone.put(method, Jsonl.read(output("alone"), JsonNode.class));
        }
        PatchStage.Summary found = new PatchStage(lines, output("both"), at, Set.of(PatchStage.Method.values()), 1)
                .run(model, Progress.NONE);
        List<JsonNode> both = Jsonl.read(output("both"), JsonNode.class);
        double[] sums = new double[6];
        for (int i = 0; i < 2; i++) {
            JsonNode exact = both.get(i).path("effect");
            JsonNode first = both.get(i).path("attribution");
            assertThat(exact)
                    .isEqualTo(alone.get(PatchStage.Method.EXACT).get(i).path("effect"));
            double corrupted = both.get(i).path("corrupted").doubleValue();
            for (int layer = 0; layer < exact.size(); layer++) {
                for (int position = 0; position < exact.get(layer).size(); position++) {
                    double x = exact.get(layer).get(position).doubleValue() - corrupted;
                    double y = first.get(layer).get(position).doubleValue() - corrupted;
                    double lone = alone.get(PatchStage.Method.ATTRIBUTION)
                            .get(i)
                            .path("effect")
                            .get(layer)
                            .get(position)
                            .doubleValue();
                    assertThat(y + corrupted).isCloseTo(lone, within(1e-5));
                    double[] terms = {1, x, y, x * x, y * y, x * y};
                    Arrays.setAll(sums, k -> sums[k] + terms[k]);
                }
            }
        }
        double n = sums[0];
        double pearson = (n * sums[5] - sums[1] * sums[2])
                / Math.sqrt((n * sums[3] - sums[1] * sums[1]) * (n * sums[4] - sums[2] * sums[2]));
        assertThat(found.correlation()).isCloseTo(pearson, within(1e-9)).isGreaterThan(0.5);
        assertThat(found.byLayer()).hasSize(model.model().config().layers());
    }

    @Test
    void attributionIsTheDerivativeOfPatching() throws IOException {
        String line = """
                {"id": 1, "clean_input_ids": [3, 1, 4, 1], "corrupted_input_ids": [3, 2, 4, 1], "answer": 5, "wrong": 6}
                """;
        double step = 1e-5;
        String name = "blocks.0.hook_mlp_out";
        try (Backend exact = new ScalarBackend(DType.F64);
                ModelFolder opened = ModelFolder.open(exact, OracleModel.folder("qwen3"), null);
                Inspector inspector = new Inspector(opened.model(), 4)) {
            new PatchStage(
                            file(line),
                            output("first"),
                            PatchStage.Point.MLP_OUT,
                            Set.of(PatchStage.Method.ATTRIBUTION),
                            1)
                    .run(opened, Progress.NONE);
            JsonNode result = Jsonl.read(output("first"), JsonNode.class).getFirst();
            double corrupted = result.path("corrupted").doubleValue();
            Selection points = Selection.of(inspector.config(), name, "logits");
            try (Trace clean = inspector.run(new int[] {3, 1, 4, 1}, points);
                    Trace was = inspector.run(new int[] {3, 2, 4, 1}, points)) {
                double[] to = clean.values(name);
                double[] from = was.values(name);
                double[] little = new double[to.length];
                Arrays.setAll(little, i -> from[i] + step * (to[i] - from[i]));
                try (Inspector.Handle patched = inspector.edit(name, Edit.replace(little, Edit.Where.row(1)));
                        Trace moved = inspector.run(new int[] {3, 2, 4, 1}, points)) {
                    assertThat(patched).isNotNull();
                    int last = 3 * inspector.config().vocabulary().size();
                    double[] logits = moved.values("logits");
                    double slope = (logits[last + 5] - logits[last + 6] - corrupted) / step;
                    double effect = result.path("effect").get(0).get(1).doubleValue() - corrupted;
                    assertThat(Math.abs(effect)).isGreaterThan(1e-3);
                    assertThat(effect).isCloseTo(slope, withPercentage(0.1));
                }
            }
        }
    }

    @Test
    void changesHaveTheirSingularValues() throws IOException {
        // The change of a is diag(3, 4) in a plane; b stays.
        write(folder.resolve("before"), new double[] {1, 0, 0, 0, 1, 0}, 2);
        write(folder.resolve("after"), new double[] {4, 0, 0, 0, 5, 0}, 2);
        List<DiffStage.Change> changes =
                new DiffStage(folder.resolve("before"), folder.resolve("after"), output("d.jsonl")).run(Progress.NONE);
        DiffStage.Change a = changes.getFirst();
        assertThat(a.frobenius()).isCloseTo(5, within(1e-6));
        assertThat(a.relative()).isCloseTo(5 / Math.sqrt(2), within(1e-6));
        assertThat(a.spectral()).isCloseTo(4, within(1e-6));
        // exp(−3/7 ln 3/7 − 4/7 ln 4/7)
        assertThat(a.effectiveRank()).isCloseTo(1.979626, within(1e-6));
        DiffStage.Change b = changes.get(1);
        assertThat(List.of(b.frobenius(), b.spectral(), b.effectiveRank())).containsOnly(0.0);
    }

    private static void write(Path folder, double[] values, double constant) throws IOException {
        Files.createDirectories(folder);
        try (HostBuffer memory = new HostBuffer(4L * (values.length + 2))) {
            Tensor a = new Tensor("a", memory, 0, DType.F32, 2, 3);
            Tensor b = new Tensor("b", memory, 4L * values.length, DType.F32, 2);
            for (int i = 0; i < values.length; i++) {
                a.set(i, values[i]);
            }
            b.set(0, constant);
            b.set(1, constant);
            Safetensors.write(folder.resolve("model.safetensors"), List.of(a, b), Map.of());
        }
    }

    @Test
    void aLanguageIsLikeItself() throws IOException {
        List<Similarity> all = new SimilarityStage(file("""
                                {"id": 1, "language": "en", "input_ids": [3, 1, 4]}
                                {"id": 2, "language": "en", "input_ids": [1, 5, 9, 2]}
                                {"id": 3, "language": "en", "input_ids": [6, 5]}
                                {"id": 3, "language": "xx", "input_ids": [6, 5]}
                                {"id": 1, "language": "xx", "input_ids": [3, 1, 4]}
                                {"id": 2, "language": "xx", "input_ids": [1, 5, 9, 2]}
                                """), output("s.jsonl")).run(model, Progress.NONE);
        assertThat(all).hasSize(model.model().config().layers() + 1);
        Set<List<String>> pairs = new HashSet<>();
        for (Similarity each : all) {
            pairs.add(each.languages());
            assertThat(each.cka()).isCloseTo(1, within(1e-12));
            assertThat(each.cosine()).isCloseTo(1, within(1e-12));
            assertThat(each.retrieval()).isEqualTo(1);
        }
        assertThat(pairs).containsOnly(List.of("en", "xx"));
    }

    @Test
    void kernelAlignmentByTheFeaturesIsThatByTheGramMatrices() {
        double[][] x = {{1, 2}, {0, -1}, {3, 1}, {2, 2}};
        double[][] y = {{0, 1, 1}, {2, 0, 1}, {1, 1, -1}, {4, 0, 2}};
        assertThat(Cka.linear(x, y)).isCloseTo(byFeatures(x, y), within(1e-12));
        assertThat(Cka.linear(x, new double[4][3])).isNull();
    }

    /** ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖), of centred columns. */
    private static double byFeatures(double[][] x, double[][] y) {
        return squares(x, y) / Math.sqrt(squares(x, x) * squares(y, y));
    }

    private static double squares(double[][] x, double[][] y) {
        double sum = 0;
        for (int a = 0; a < x[0].length; a++) {
            for (int b = 0; b < y[0].length; b++) {
                double product = 0;
                double meanX = 0;
                double meanY = 0;
                for (int i = 0; i < x.length; i++) {
                    meanX += x[i][a] / x.length;
                    meanY += y[i][b] / y.length;
                }
                for (int i = 0; i < x.length; i++) {
                    product += (x[i][a] - meanX) * (y[i][b] - meanY);
                }
                sum += product * product;
            }
        }
        return sum;
    }

    @Test
    void brokenLinesAreNamed() throws IOException {
        Path uneven = file("""
                {"id": 1, "clean_input_ids": [3, 1], "corrupted_input_ids": [3], "answer": 5, "wrong": 6}
                """);
        assertThatThrownBy(() -> new PatchStage(
                                uneven, output("x"), PatchStage.Point.Z, Set.of(PatchStage.Method.EXACT), 1)
                        .run(model, Progress.NONE))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("in.jsonl:1");
        assertThat(output("x")).doesNotExist();
        Path alone = file("""
                {"id": 1, "language": "en", "input_ids": [3, 1]}
                """);
        assertThatThrownBy(() -> new SimilarityStage(alone, output("x")).run(model, Progress.NONE))
                .hasMessageContaining("two or more");
    }
}
