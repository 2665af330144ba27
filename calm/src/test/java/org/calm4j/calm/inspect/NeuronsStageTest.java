package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.inspect.Edit;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class NeuronsStageTest {
    private static final String TEXTS = """
            {"language": "en", "input_ids": [3, 1, 4, 1, 5, 9, 2]}
            {"language": "ja", "input_ids": [2, 7, 1, 8]}
            {"language": "en", "input_ids": [6, 5]}
            {"language": "fr", "input_ids": [8, 2, 8, 3, 1, 7]}
            {"language": "fr", "input_ids": [8]}
            """;
    private static final List<String> LANGUAGES = List.of("en", "fr", "ja");

    @TempDir
    private Path folder;

    private final Backend backend = new SimdBackend(1);
    private Path texts;

    @BeforeEach
    void write() throws IOException {
        texts = Files.writeString(folder.resolve("texts.jsonl"), TEXTS);
    }

    @AfterEach
    void close() {
        backend.close();
    }

    private NeuronsStage stage(Lape lape) {
        return new NeuronsStage(texts, null, folder.resolve("neurons.jsonl"), lape, 1);
    }

    /** lape.py has the same in another way. */
    @Test
    void neuronsAreSelectedAsInTheAuthorsCode() {
        JsonNode oracle = Json.read(Path.of("src/test/resources/org/calm4j/calm/inspect/lape.json"), JsonNode.class);
        double[][] probabilities = Json.mapper().convertValue(oracle.path("probabilities"), double[][].class);
        assertThat(oracle.path("cases")).hasSize(3);
        for (JsonNode each : oracle.path("cases")) {
            double[] rates = Json.mapper().convertValue(each.path("rates"), double[].class);
            List<Lape.Selected> found = new Lape(rates[0], rates[1], rates[2]).select(probabilities);
            assertThat(found).hasSameSizeAs(each.path("selected")).isNotEmpty();
            for (int i = 0; i < found.size(); i++) {
                JsonNode expected = each.path("selected").get(i);
                assertThat(found.get(i).neuron())
                        .isEqualTo(expected.path("neuron").intValue());
                assertThat(found.get(i).entropy())
                        .isCloseTo(expected.path("entropy").doubleValue(), within(1e-12));
                assertThat(Json.mapper().<JsonNode>valueToTree(found.get(i).languages()))
                        .isEqualTo(expected.path("languages"));
            }
        }
    }

    /** By the values after the activation, which is SiLU in the one and GELU in the other; gated, they are those of gate and up. */
    @ParameterizedTest
    @ValueSource(strings = {"qwen3", "gpt2"})
    void probabilitiesAreSharesOfPositiveActivations(String name) {
        try (ModelFolder model = ModelFolder.open(backend, OracleModel.folder(name), null);
                Inspector inspector = new Inspector(model.model(), 8)) {
            NeuronsStage.Result found = stage(new Lape(1, 0, 0.5)).run(model, Progress.NONE);
            assertThat(found.neurons()).hasSizeGreaterThan(found.all() / 2);
            int width = inspector.config().feedForward().size();
            for (NeuronsStage.Neuron neuron : found.neurons()) {
                double[] active = new double[3];
                double[] tokens = new double[3];
                for (JsonNode line : Jsonl.read(texts, JsonNode.class)) {
                    int[] ids = Json.mapper().convertValue(line.path("input_ids"), int[].class);
                    int language = LANGUAGES.indexOf(line.path("language").asText());
                    try (Trace trace = inspector.run(ids, Selection.of(inspector.config(), "blocks.*.mlp.*"))) {
                        String at = "blocks." + neuron.layer() + ".mlp.hook_";
                        double[] post = trace.values(at + "post");
                        double[] up = name.equals("gpt2") ? null : trace.values(at + "pre_linear");
                        for (int t = 0; t < ids.length; t++) {
                            int i = t * width + neuron.neuron();
                            active[language] += (up == null ? post[i] : post[i] / up[i]) > 0 ? 1 : 0;
                        }
                    }
                    tokens[language] += ids.length;
                }
                for (int language = 0; language < 3; language++) {
                    assertThat(neuron.probabilities().get(LANGUAGES.get(language)))
                            .isEqualTo(active[language] / tokens[language]);
                }
            }
        }
    }

    @Test
    void silencingIsAnEditOfItsNeurons() {
        try (ModelFolder model = ModelFolder.open(backend, OracleModel.folder("qwen3"), null);
                Inspector inspector = new Inspector(model.model(), 8)) {
            NeuronsStage.Result found = stage(new Lape(0.5, 0.5, 0.8)).run(model, Progress.NONE);
            assertThat(found.losses()).hasSize(1 + 2 * 3);
            List<NeuronsStage.Neuron> own = found.neurons().stream()
                    .filter(each -> each.languages().contains("ja"))
                    .toList();
            NeuronsStage.Losses ja = found.losses().stream()
                    .filter(each -> "ja".equals(each.silenced()) && !each.random())
                    .findFirst()
                    .orElseThrow();
            assertThat(own).hasSize(ja.neurons()).isNotEmpty();
            Map<String, Double> before = found.losses().getFirst().losses();
            assertThat(before.get("en"))
                    .isCloseTo(
                            loss(inspector, List.of(new int[] {3, 1, 4, 1, 5, 9, 2}, new int[] {6, 5})), within(1e-12));
            List<Inspector.Handle> handles = new ArrayList<>();
            for (NeuronsStage.Neuron each : own) {
                handles.add(inspector.edit(
                        "blocks." + each.layer() + ".mlp.hook_post", Edit.zero(Edit.Where.column(each.neuron()))));
            }
            double after = loss(inspector, List.of(new int[] {2, 7, 1, 8}));
            handles.forEach(Inspector.Handle::close);
            assertThat(ja.losses().get("ja")).isCloseTo(after, within(1e-12));
            assertThat(ja.changes().get("ja"))
                    .isCloseTo(after - before.get("ja"), within(1e-12))
                    .isNotZero();
            double others = (ja.changes().get("en") + ja.changes().get("fr")) / 2;
            assertThat(ja.ownExcess()).isCloseTo(ja.changes().get("ja") - others, within(1e-12));
            assertThat(Jsonl.read(folder.resolve("neurons.jsonl"), JsonNode.class))
                    .hasSize(found.neurons().size() + found.losses().size());
        }
    }

    private static double loss(Inspector inspector, List<int[]> texts) {
        double sum = 0;
        int count = 0;
        for (int[] text : texts) {
            try (Trace trace = inspector.run(text, Selection.of(inspector.config()))) {
                sum -= Arrays.stream(trace.logProbs()).sum();
                count += text.length - 1;
            }
        }
        return sum / count;
    }

    @Test
    void oneLanguageHasNoNeuronsOfItsOwn() throws IOException {
        Files.writeString(texts, "{\"language\": \"en\", \"input_ids\": [3, 1]}\n");
        try (ModelFolder model = ModelFolder.open(backend, OracleModel.folder("qwen3"), null)) {
            assertThatThrownBy(() -> stage(Lape.PAPER).run(model, Progress.NONE))
                    .hasMessageContaining("texts in one language");
        }
    }
}
