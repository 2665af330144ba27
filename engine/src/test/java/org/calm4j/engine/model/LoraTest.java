package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.commons.math3.linear.MatrixUtils;
import org.apache.commons.math3.linear.QRDecomposition;
import org.apache.commons.math3.linear.RealMatrix;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ConfigFields;
import org.calm4j.engine.config.ConfigReader;
import org.calm4j.engine.config.ConfigReaderTest;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters as files and in weights; what they compute is in the tests of the model. */
final class LoraTest {
    @TempDir
    private Path saved;

    static List<String> models() {
        return OracleModel.NAMES;
    }

    private static double[] scores(CausalLm model) {
        int[] prompt = {3, 1, 4, 1, 5};
        int[] completion = {8, 9, 7, 9, 3, 2};
        return new Scorer(model)
                .score(List.of(new Scorer.Item(prompt, List.of(completion))), done -> {})
                .getFirst()
                .getFirst();
    }

    @Tag("slow")
    @ParameterizedTest
    @MethodSource("models")
    void mergedWeightsComputeWhatTheAdapterDid(String name) {
        Path path = OracleModel.folder(name);
        try (Backend backend = new ScalarBackend(DType.F64);
                ModelFolder folder = ModelFolder.openToTrain(backend, path);
                ModelFolder adapted = ModelFolder.open(backend, path, path.resolve("adapter"))) {
            Parameters parameters = folder.model().parameters();
            double[] plain = scores(folder.model());
            double[] expected = scores(adapted.model());
            adapted.model().lora().mergeInto(parameters);
            assertThat(scores(folder.model())).containsExactly(expected, within(1e-12));
            assertThat(Math.abs(expected[0] - plain[0])).isGreaterThan(1e-3);
            adapted.model().lora().unmergeFrom(parameters);
            assertThat(scores(folder.model())).containsExactly(plain, within(1e-12));
        }
    }

    /** One weight at a time, rounded once, to its own type or the one that is asked for; the rest is not copied. */
    @ParameterizedTest
    @MethodSource("models")
    void mergesWeightsThatStayInTheirFile(String name) {
        Path path = OracleModel.folder(name);
        try (Backend backend = new SimdBackend(1);
                ModelFolder trained = ModelFolder.openToTrain(backend, path);
                ModelFolder adapted = ModelFolder.open(backend, path, path.resolve("adapter"))) {
            Lora lora = adapted.model().lora();
            lora.mergeInto(trained.model().parameters());
            int changed = 0;
            for (Tensor whole : trained.model().parameters().tensors()) {
                Tensor weight = adapted.model().parameters().tensors().stream()
                        .filter(w -> w.name().equals(whole.name()))
                        .findFirst()
                        .orElseThrow();
                Tensor merged = lora.merged(weight, null);
                changed += merged == weight ? 0 : 1;
                assertThat(merged.type()).isEqualTo(weight.type());
                Tensor wide = lora.merged(weight, DType.F32);
                assertThat(wide.type()).isEqualTo(merged == weight ? weight.type() : DType.F32);
                for (long i = 0; i < weight.size(); i++) {
                    double rounded =
                            switch (weight.type()) {
                                case BF16 -> Float.intBitsToFloat(Tensor.bf16((float) whole.get(i)) << 16);
                                case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) whole.get(i)));
                                default -> whole.get(i);
                            };
                    assertThat(merged.get(i)).as("%s[%d]", weight.name(), i).isEqualTo(rounded);
                    assertThat(wide.get(i))
                            .as("%s[%d] in F32", weight.name(), i)
                            .isEqualTo(whole.get(i));
                }
            }
            assertThat(changed).isEqualTo(lora.slab().tensors().size() / 2);
        }
    }

    /** A file of PEFT comes back with the same tensors, bit by bit, and the same fields. */
    @ParameterizedTest
    @MethodSource("models")
    void whatIsSavedIsWhatPeftWrote(String name) {
        Path adapter = OracleModel.folder(name).resolve("adapter");
        try (Backend backend = new SimdBackend(1);
                ModelFolder folder = ModelFolder.open(backend, OracleModel.folder(name), adapter)) {
            folder.save(saved, null);
            JsonNode written = Json.read(saved.resolve("adapter_config.json"), JsonNode.class);
            ObjectNode expected = Json.read(adapter.resolve("adapter_config.json"), ObjectNode.class);
            expected.put("base_model_name_or_path", OracleModel.folder(name).toString());
            assertThat(written).isEqualTo(expected);
            try (Safetensors before = Safetensors.open(adapter.resolve("adapter_model.safetensors"));
                    Safetensors after = Safetensors.open(saved.resolve("adapter_model.safetensors"))) {
                assertThat(after.tensors().keySet())
                        .containsExactlyInAnyOrderElementsOf(before.tensors().keySet());
                after.tensors().forEach((tensorName, tensor) -> assertThat(tensor.segment()
                                .mismatch(before.tensors().get(tensorName).segment()))
                        .isEqualTo(-1));
            }
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            llama-tied | all-linear         | down_proj,gate_proj,k_proj,o_proj,q_proj,up_proj,v_proj
            llama-tied | q_proj,mlp.up_proj | q_proj,up_proj
            gpt2       | all-linear         | c_attn,c_fc,c_proj
            gpt2       | c_proj             | c_proj
            gpt2       | attn.c_proj        | attn.c_proj
            """)
    void freshAdaptersNameTheirTargets(String model, String targets, String written) {
        ModelConfig config = ConfigReader.read(OracleModel.folder(model).resolve("config.json"));
        var settings = new LoraSettings(2, 4, 0.1, true, config.layout().projections(List.of(targets.split(","))));
        try (Backend backend = new SimdBackend(1);
                Lora lora = Lora.random(backend, config, settings, 1)) {
            lora.save(saved, "base");
            JsonNode json = Json.read(saved.resolve("adapter_config.json"), JsonNode.class);
            assertThat(json.path("target_modules").valueStream().map(JsonNode::asText))
                    .containsExactly(written.split(","));
            assertThat(json.path("fan_in_fan_out").booleanValue()).isEqualTo(model.equals("gpt2"));
            try (Lora read = Lora.load(backend, config, saved)) {
                assertThat(read.slab().tensors())
                        .extracting(Tensor::name)
                        .containsExactlyElementsOf(
                                lora.slab().tensors().stream().map(Tensor::name).toList());
                assertThat(read.dropout()).isEqualTo(0.1);
                assertThat(read.adapter(1, Projection.O) == null).isEqualTo(lora.adapter(1, Projection.O) == null);
                read.slab().tensors().forEach(tensor -> assertThat(tensor.segment()
                                .mismatch(lora.slab().get(tensor.name()).segment()))
                        .isEqualTo(-1));
            }
        }
    }

    /** What PEFT 0.21 writes, field by field, of the fields that all of its releases know; whole numbers are whole. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama-tied"})
    void theFileIsPefts(String model) throws IOException {
        ModelConfig config = ConfigReader.read(OracleModel.folder(model).resolve("config.json"));
        boolean gpt2 = model.equals("gpt2");
        var settings =
                new LoraSettings(2, 4, 0, false, config.layout().projections(List.of(gpt2 ? "c_attn" : "q_proj")));
        try (Backend backend = new SimdBackend(1);
                Lora lora = Lora.random(backend, config, settings, 1)) {
            lora.save(saved, "org/base");
        }
        JsonNode expected = Json.mapper().readTree("""
                {"alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": "org/base", "bias": "none", "fan_in_fan_out": %s,
                 "inference_mode": true, "init_lora_weights": true, "layers_pattern": null, "layers_to_transform": null,
                 "lora_alpha": 4, "lora_dropout": 0.0, "modules_to_save": null, "peft_type": "LORA", "r": 2, "rank_pattern": {},
                 "revision": null, "target_modules": ["%s"], "task_type": "CAUSAL_LM", "use_dora": false, "use_rslora": false}
                """.formatted(gpt2, gpt2 ? "c_attn" : "q_proj"));
        JsonNode written = Json.read(saved.resolve("adapter_config.json"), JsonNode.class);
        assertThat(written).isEqualTo(expected);
        assertThat(written.fieldNames()).toIterable().containsExactlyElementsOf(expected::fieldNames);
        assertThat(AdapterConfig.of(config, new LoraSettings(2, 2.5, 0, false, settings.targets()))
                        .json()
                        .get("lora_alpha")
                        .doubleValue())
                .isEqualTo(2.5);
    }

    private static LoraSettings relative(
            ModelConfig config, boolean dora, LoraSettings.Start start, List<String> whole) {
        return new LoraSettings(
                2, 6, 0, false, config.layout().projections(), null, List.of(), Map.of(), Map.of(), dora, start, whole);
    }

    /** What is saved gives the scores of what was trained, merged weights too, and both are not the base model's. */
    @ParameterizedTest
    @CsvSource({"llama,true,TRUE", "gpt2,true,TRUE", "llama,false,PISSA", "gpt2,false,PISSA", "llama,false,GAUSSIAN"})
    void relativesAreSavedAndMerged(String kind, boolean dora, LoraSettings.Start start) {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            ModelConfig config = TinyModel.config(kind);
            CausalLm model = TinyModel.withLora(backend, kind, relative(config, dora, start, List.of()));
            double[] trained = scores(model);
            assertThat(Math.abs(trained[0] - scores(model.withoutAdapter())[0])).isGreaterThan(1e-3);
            model.lora().save(saved, "base");
            JsonNode json = Json.read(saved.resolve("adapter_config.json"), JsonNode.class);
            boolean pissa = start == LoraSettings.Start.PISSA;
            assertThat(json.path("r").intValue()).isEqualTo(pissa ? 4 : 2);
            assertThat(json.path("lora_alpha").intValue()).isEqualTo(pissa ? 12 : 6);
            assertThat(json.path("use_dora").booleanValue()).isEqualTo(dora);
            assertThat(json.path("init_lora_weights").asText())
                    .isEqualTo(start == LoraSettings.Start.GAUSSIAN ? "gaussian" : "true");
            try (Lora lora = Lora.load(backend, config, saved)) {
                CausalLm read = new CausalLm(config, model.withoutAdapter().parameters(), lora);
                assertThat(scores(read)).containsExactly(trained, within(1e-12));
            }
            Parameters parameters = model.withoutAdapter().parameters();
            double[] plain = scores(model.withoutAdapter());
            model.lora().mergeInto(parameters);
            assertThat(scores(model.withoutAdapter())).containsExactly(trained, within(1e-12));
            model.lora().unmergeFrom(parameters);
            assertThat(scores(model.withoutAdapter())).containsExactly(plain, within(1e-12));
        }
    }

    /** None of the starts changes what the model computes. */
    @ParameterizedTest
    @CsvSource({"true,TRUE", "false,PISSA", "false,GAUSSIAN", "false,TRUE"})
    void adaptersBeginAtTheModel(boolean dora, LoraSettings.Start start) {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            CausalLm model = TinyModel.random(backend, "llama");
            LoraSettings settings = relative(model.config(), dora, start, List.of("lm_head", "embed_tokens"));
            try (Lora lora = Lora.random(backend, model.config(), settings, 3)) {
                assertThat(scores(new CausalLm(model.config(), model.parameters(), lora)))
                        .containsExactly(scores(model), within(1e-12));
            }
        }
    }

    /** A and B of PiSSA's start are the singular values' where the subspace is smaller than the matrix. */
    @Test
    void pissaFindsTheLargestSingularValues() {
        int outputs = 40;
        int inputs = 30;
        Random random = new Random(4);
        var left = new QRDecomposition(MatrixUtils.createRealMatrix(normals(random, outputs, outputs))).getQ();
        var right = new QRDecomposition(MatrixUtils.createRealMatrix(normals(random, inputs, inputs))).getQ();
        RealMatrix values = MatrixUtils.createRealMatrix(outputs, inputs);
        for (int i = 0; i < inputs; i++) {
            values.setEntry(i, i, Math.pow(0.7, i));
        }
        RealMatrix w = left.multiply(values).multiply(right);
        try (Backend backend = new ScalarBackend(DType.F64)) {
            Tensor weight = tensor("w", outputs, inputs);
            for (int i = 0; i < outputs * inputs; i++) {
                weight.set(i, w.getEntry(i / inputs, i % inputs));
            }
            var start = new Pissa.Start(tensor("a0", 3, inputs), tensor("b0", outputs, 3));
            var adapter = new Lora.Adapter(tensor("a", 3, inputs), tensor("b", outputs, 3), 2, null, start);
            new Pissa(backend, weight, false).start(adapter);
            for (int r = 0; r < 3; r++) {
                double square = 0;
                for (int i = 0; i < inputs; i++) {
                    square += Math.pow(adapter.a().get(r * inputs + i), 2);
                }
                assertThat(square).isCloseTo(Math.pow(0.7, r) / 2, within(1e-9));
            }
            double rest = 0;
            for (int i = 0; i < outputs * inputs; i++) {
                double product = 0;
                for (int r = 0; r < 3; r++) {
                    product += 2
                            * adapter.b().get(i / inputs * 3 + r)
                            * adapter.a().get(r * inputs + i % inputs);
                }
                rest += Math.pow(weight.get(i) - product, 2);
            }
            double expected = IntStream.range(3, inputs)
                    .mapToDouble(i -> Math.pow(0.7, 2 * i))
                    .sum();
            assertThat(rest).isCloseTo(expected, within(1e-9));
        }
    }

    private static double[][] normals(Random random, int rows, int columns) {
        return IntStream.range(0, rows)
                .mapToObj(i -> random.doubles(columns, -1, 1).toArray())
                .toArray(double[][]::new);
    }

    private static Tensor tensor(String name, long... shape) {
        return new Tensor(name, new HostBuffer(8 * Tensor.product(shape)), 0, DType.F64, shape);
    }

    /** Layers by a regular expression, by numbers, and their ranks; a saved file gives the same. */
    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
            model[.]layers[.]1[.].*(q|v)_proj ;   ; 0, 3
            q_proj                            ; 1 ; 0, 3
            q_proj                            ;   ; 3, 3
            """)
    void layersOfNewAdapters(String target, Integer layer, String ranks) {
        ModelConfig config = TinyModel.config("llama");
        boolean expression = target.contains("[");
        var settings = new LoraSettings(
                2,
                4,
                0,
                false,
                expression ? Set.of() : config.layout().projections(List.of(target)),
                expression ? target : null,
                layer == null ? List.of() : List.of(layer),
                Map.of("q_proj", 3),
                Map.of("q_proj", 5.0),
                false,
                LoraSettings.Start.TRUE,
                List.of());
        try (Backend backend = new ScalarBackend();
                Lora lora = Lora.random(backend, config, settings, 1)) {
            lora.save(saved, "base");
            try (Lora read = Lora.load(backend, config, saved)) {
                for (Lora each : List.of(lora, read)) {
                    for (int l = 0; l < 2; l++) {
                        Lora.Adapter adapter = each.adapter(l, Projection.Q);
                        assertThat(adapter == null ? 0 : adapter.rank())
                                .isEqualTo(Integer.parseInt(ranks.split(", ")[l]));
                        assertThat(adapter == null ? 5.0 / 3 : adapter.scale()).isEqualTo(5.0 / 3);
                    }
                }
            }
        }
        assertThatThrownBy(() -> AdapterConfig.of(
                        config,
                        new LoraSettings(
                                2,
                                4,
                                0,
                                false,
                                Set.of(),
                                ".*c_attn",
                                List.of(),
                                Map.of(),
                                Map.of(),
                                false,
                                LoraSettings.Start.TRUE,
                                List.of())))
                .hasMessageContaining("fits no linear layer of the blocks, such as model.layers.0.self_attn.q_proj");
    }

    @Test
    void unknownTargets() {
        ModelConfig config = ConfigReader.read(OracleModel.folder("gpt2").resolve("config.json"));
        assertThatThrownBy(() -> config.layout().projections(List.of("q_proj")))
                .isInstanceOf(CalmException.class)
                .hasMessage(
                        "loraTargets has \"q_proj\", which is no linear layer; known: all-linear, c_attn, c_fc, c_proj");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            peft_type         | "IA3"                       | peft_type is "IA3"; supported: LORA
            use_dora          | true                        | lora_magnitude_vector is missing
            use_bdlora        | {"nblocks": 2}              | use_bdlora is {"nblocks":2}
            bias              | "all"                       | bias is "all"; supported: none
            modules_to_save   | ["lm_head"]                 | tensor base_model.model.lm_head.weight is missing
            modules_to_save   | ["score"]                   | modules_to_save names score, which the model does not have
            target_modules    | ["q_proj", "v_proj", "lm_head"] | target_modules names lm_head; supported: the linear layers
            target_modules    | ".*(q_proj)?(v_proj)?(tokens)?" | target_modules names model.embed_tokens
            target_modules    | "(q_proj"                   | is not a supported regular expression
            init_lora_weights | "pissa"                     | init_lora_weights is "pissa"
            r                 | 0                           | r is 0, expected a whole number from 1
            r                 | 3                           | the rank of model.layers.0.self_attn.q_proj is 3, the adapter has
            lora_alpha        | "4"                         | lora_alpha is "4", expected a positive number
            lora_dropout      | 1                           | lora_dropout is 1; supported
            target_modules    | ["q_proj", "v_proj", "o_proj"] | o_proj.lora_A.weight is missing
            rank_pattern      | {"(a+)+b": 2, "q_proj": 5}  | the rank of model.layers.0.self_attn.q_proj is 5
            rank_pattern      | {"(([a-z._0-9]+)+)+!": 2}    | takes too many steps
            alpha_pattern     | {"q_proj": -1}              | alpha_pattern: q_proj is -1, expected a positive number
            """)
    void namesWhatItDoesNotSupport(String field, String value, String message) throws Exception {
        Path adapter = OracleModel.folder("llama-tied").resolve("adapter");
        ObjectNode json = Json.read(adapter.resolve("adapter_config.json"), ObjectNode.class);
        json.set(field, Json.mapper().readTree(value));
        assertThatThrownBy(() -> load(adapter, json))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(message);
    }

    /** By the rules of PEFT 0.21, {@code check_target_module_exists}: layers 0 and 1 of a module path, which of them are adapted. */
    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '~', textBlock = """
            {'target_modules':['q_proj']} ; self_attn.q_proj ; 0,1
            {'target_modules':['self_attn.q_proj','mlp']} ; self_attn.q_proj ; 0,1
            {'target_modules':['_proj']} ; self_attn.q_proj ; none
            {'target_modules':['model.layers.1.self_attn.q_proj']} ; self_attn.q_proj ; 1
            {'target_modules':'.*q_proj'} ; self_attn.q_proj ; 0,1
            {'target_modules':'q_proj'} ; self_attn.q_proj ; none
            {'target_modules':'model[.]layers[.](0|2)[.].*_proj'} ; mlp.up_proj ; 0
            {'target_modules':'(?P<layer>model.layers.1).*up_proj'} ; mlp.up_proj ; 1
            {'target_modules':'ALL-linear'} ; mlp.up_proj ; 0,1
            {'target_modules':'all-linear','exclude_modules':['up_proj']} ; mlp.up_proj ; none
            {'target_modules':'all-linear','exclude_modules':'.*layers.0.*'} ; mlp.up_proj ; 1
            {'target_modules':'all-linear','modules_to_save':['mlp']} ; mlp.up_proj ; none
            {'target_modules':'all-linear','modules_to_save':['lp']} ; mlp.up_proj ; 0,1
            {'target_modules':['up_proj'],'layers_to_transform':[1]} ; mlp.up_proj ; 1
            {'target_modules':['up_proj'],'layers_to_transform':0} ; mlp.up_proj ; 0
            {'target_modules':['up_proj'],'layers_to_transform':[]} ; mlp.up_proj ; 0,1
            {'target_modules':['up_proj'],'layers_to_transform':[1],'layers_pattern':'layers'} ; mlp.up_proj ; 1
            {'target_modules':['up_proj'],'layers_to_transform':[1],'layers_pattern':['h','l.*s']} ; mlp.up_proj ; 1
            {'target_modules':['up_proj'],'layers_to_transform':[1],'layers_pattern':'h'} ; mlp.up_proj ; none
            {'target_modules':['up_proj','model.layers.0.mlp.up_proj'],'layers_to_transform':[1]} ; mlp.up_proj ; 0,1
            {'target_modules':'.*up_proj','layers_to_transform':[1]} ; mlp.up_proj ; 0,1
            """)
    void targetsAreThoseOfPeft(String config, String module, String layers) throws IOException {
        ObjectNode json = (ObjectNode) Json.mapper().readTree(config.replace('\'', '"'));
        AdapterTargets targets = AdapterTargets.of(new ConfigFields(json, "adapter_config.json"));
        List<String> adapted = IntStream.range(0, 2)
                .filter(l -> targets.adapts("model.layers." + l + "." + module))
                .mapToObj(String::valueOf)
                .toList();
        assertThat(adapted).isEqualTo(layers.equals("none") ? List.of() : List.of(layers.split(",")));
    }

    /** PEFT's {@code get_pattern_key}: the first key of which {@code (.*\.)?(key)$} matches the name. */
    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '~', textBlock = """
            {'q_proj':8} ; 4 ; 2
            {'.*':8} ; 4 ; 4
            {'layers[.]0[.].*':8} ; 4 ; 2
            {'^model.layers.(1|5).self_attn.[qv]_proj':8} ; 2 ; 4
            {'^layers.0.*':8} ; 2 ; 2
            {'proj':8} ; 2 ; 2
            {'self_attn.(k|v)_proj':8,'v_proj':1} ; 2 ; 4
            """)
    void patternsAreRegularExpressions(String alphas, double first, double last) throws IOException {
        Path adapter = OracleModel.folder("llama-tied").resolve("adapter");
        ObjectNode json = Json.read(adapter.resolve("adapter_config.json"), ObjectNode.class);
        json.set("alpha_pattern", Json.mapper().readTree(alphas.replace('\'', '"')));
        json.put("lora_alpha", 4);
        try (Safetensors weights = Safetensors.open(adapter.resolve("adapter_model.safetensors"))) {
            AdapterConfig read = read(json, weights);
            // The scale is alpha over the rank, 2.
            assertThat(read.sizes().get(0).get(Projection.Q).scale()).isEqualTo(first);
            assertThat(read.sizes().get(1).get(Projection.V).scale()).isEqualTo(last);
        }
    }

    private AdapterConfig read(ObjectNode json, Safetensors weights) {
        Json.write(saved.resolve("adapter_config.json"), json);
        return AdapterConfig.read(
                ConfigReader.read(OracleModel.folder("llama-tied").resolve("config.json")), saved, weights.tensors());
    }

    /** What {@code modules_to_save} and saved embeddings replace is computed with; the reference keeps the base model's. */
    @Tag("slow")
    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '~', textBlock = """
            llama-untied ; ['lm_head'] ; lm_head.weight ; lm_head.weight
            llama-untied ; ['norm'] ; all norms ; all norms
            llama-untied ; null ; model.embed_tokens.weight,lm_head.weight ; model.embed_tokens.weight,lm_head.weight
            llama-tied ; ['lm_head'] ; lm_head.weight ; lm_head.weight
            llama-tied ; ['embed_tokens'] ; model.embed_tokens.weight ; model.embed_tokens.weight,base head
            llama-tied ; ['embed_tokens','lm_head'] ; model.embed_tokens.weight,lm_head.weight ; model.embed_tokens.weight,lm_head.weight
            llama-tied ; null ; model.embed_tokens.weight ; model.embed_tokens.weight
            gpt2 ; ['wte','wpe'] ; transformer.wte.weight,transformer.wpe.weight ; transformer.wte.weight,transformer.wpe.weight,base head
            """)
    void wholeModules(String name, String modules, String given, String expected) throws IOException {
        Path path = OracleModel.folder(name);
        ModelConfig config = ConfigReader.read(path.resolve("config.json"));
        ObjectNode json = Json.read(path.resolve("adapter/adapter_config.json"), ObjectNode.class);
        json.set("modules_to_save", Json.mapper().readTree(modules.replace('\'', '"')));
        Json.write(saved.resolve("adapter_config.json"), json);
        Path other = saved.resolve("other");
        try (Backend backend = new SimdBackend(1);
                ModelFolder base = ModelFolder.open(backend, path, null);
                Safetensors adapter = Safetensors.open(path.resolve("adapter/adapter_model.safetensors"))) {
            Map<String, Tensor> weights = new LinkedHashMap<>();
            base.model().parameters().tensors().forEach(tensor -> weights.put(tensor.name(), tensor));
            Tensor embedding = base.model().parameters().embedding();
            Map<String, Tensor> changed = new LinkedHashMap<>();
            for (String weight : given.equals("all norms")
                    ? weights.keySet().stream().filter(w -> w.contains("norm")).toList()
                    : List.of(given.split(","))) {
                changed.put(weight, negated(weights.getOrDefault(weight, embedding), weight));
            }
            Map<String, Tensor> file = new LinkedHashMap<>(adapter.tensors());
            changed.forEach((weight, tensor) ->
                    file.put("base_model.model." + weight, named("base_model.model." + weight, tensor)));
            file.put("base_model.model.extra.lora_A.weight", named("base_model.model.extra.lora_A.weight", embedding));
            Safetensors.write(saved.resolve("adapter_model.safetensors"), file.values(), Map.of());
            weights.putAll(changed);
            if (expected.contains("base head")) {
                weights.put("lm_head.weight", named("lm_head.weight", embedding));
            }
            AtomicFile.directories(other);
            Json.write(
                    other.resolve("config.json"),
                    OracleModel.config(name).put("tie_word_embeddings", !weights.containsKey("lm_head.weight")));
            Safetensors.write(other.resolve("model.safetensors"), weights.values(), Map.of());
            try (ModelFolder adapted = ModelFolder.open(backend, path, saved);
                    ModelFolder whole = ModelFolder.open(backend, other, path.resolve("adapter"));
                    ModelFolder plain = ModelFolder.open(backend, path, null)) {
                assertThat(scores(adapted.model())).isEqualTo(scores(whole.model()));
                assertThat(scores(adapted.model().withoutAdapter())).isEqualTo(scores(plain.model()));
                assertThat(adapted.model().lora().replaced()).isEqualTo(changed.keySet());
                assertThat(adapted.notes())
                        .singleElement()
                        .asString()
                        .contains("adapter_model.safetensors: tensor base_model.model.extra.lora_A.weight");
            }
        }
        assertThat(config.vocabulary().tied()).isEqualTo(!name.equals("llama-untied"));
    }

    private static Tensor named(String name, Tensor tensor) {
        return new Tensor(name, tensor.buffer(), tensor.offset(), tensor.type(), tensor.shape());
    }

    private static Tensor negated(Tensor tensor, String name) {
        Tensor copy = new Tensor(name, new HostBuffer(tensor.bytes()), 0, tensor.type(), tensor.shape());
        for (long i = 0; i < tensor.size(); i++) {
            copy.set(i, -tensor.get(i) * (1 + i % 3));
        }
        return copy;
    }

    /** PEFT takes a string of target modules for a regular expression; the weights tell what it chose. */
    @Test
    void targetsByRegularExpression() {
        Path adapter = OracleModel.folder("llama-tied").resolve("adapter");
        ObjectNode json = Json.read(adapter.resolve("adapter_config.json"), ObjectNode.class);
        json.put("target_modules", ".*self_attn\\.(q|v)_proj");
        load(adapter, json);
    }

    private void load(Path adapter, ObjectNode json) {
        try (Safetensors weights = Safetensors.open(adapter.resolve("adapter_model.safetensors"));
                Backend backend = new SimdBackend(1)) {
            Safetensors.write(
                    saved.resolve("adapter_model.safetensors"),
                    weights.tensors().values(),
                    Map.of());
            Json.write(saved.resolve("adapter_config.json"), json);
            Lora.load(
                            backend,
                            ConfigReader.read(OracleModel.folder("llama-tied").resolve("config.json")),
                            saved)
                    .close();
        }
    }

    @Tag("slow")
    @Test
    void mutatedAdapters() {
        Path adapter = OracleModel.folder("mistral").resolve("adapter");
        ModelConfig config = ConfigReader.read(OracleModel.folder("mistral").resolve("config.json"));
        Random random = new Random(3);
        int refused = 0;
        try (Backend backend = new SimdBackend(1);
                Safetensors weights = Safetensors.open(adapter.resolve("adapter_model.safetensors"))) {
            Safetensors.write(
                    saved.resolve("adapter_model.safetensors"),
                    weights.tensors().values(),
                    Map.of());
            for (int i = 0; i < 500; i++) {
                ObjectNode json = Json.read(adapter.resolve("adapter_config.json"), ObjectNode.class);
                ConfigReaderTest.mutate(json, random);
                Json.write(saved.resolve("adapter_config.json"), json);
                try {
                    Lora.load(backend, config, saved).close();
                } catch (CalmException e) {
                    assertThat(e.kind()).isEqualTo(CalmException.Kind.BAD_INPUT);
                    refused++;
                }
            }
        }
        assertThat(refused).isBetween(50, 490);
    }
}
