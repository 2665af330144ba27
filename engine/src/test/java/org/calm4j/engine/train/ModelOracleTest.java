package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.loss.Divergence;
import org.calm4j.engine.loss.LossParameters;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.loss.UnpairedLoss;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole models against the float64 PyTorch numbers of {@code src/test/oracle/models.py}, which says what each of them is. */
final class ModelOracleTest {
    /** One model on one backend; an error is a difference, or its share of the expected value where this is above 1. */
    record Case(String folder, String kind, double tolerance) {
        Backend open() {
            return switch (kind) {
                case "scalar F64" -> new ScalarBackend(DType.F64);
                case "scalar F32" -> new ScalarBackend();
                default -> new SimdBackend(1);
            };
        }

        Path path(String name) {
            return OracleModel.folder(folder).resolve(name);
        }

        JsonNode oracle() {
            return Json.read(path("oracle.json"), JsonNode.class);
        }

        void check(String what, double actual, JsonNode expected) {
            check(what, actual, expected.doubleValue());
        }

        void check(String what, double actual, double expected) {
            boolean close = Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected));
            assertThat(close)
                    .as("%s is %s, expected %s", what, actual, expected)
                    .isTrue();
        }
    }

    static Stream<Case> cases() {
        return OracleModel.NAMES.stream()
                .flatMap(folder -> Stream.of(
                        new Case(folder, "scalar F64", 1e-12),
                        new Case(folder, "scalar F32", 2e-5),
                        new Case(folder, "simd", 2e-5)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void scores(Case c) {
        for (boolean adapter : new boolean[] {false, true}) {
            JsonNode lines = c.oracle().required(adapter ? "score_adapter" : "score");
            try (Backend backend = c.open();
                    ModelFolder folder = ModelFolder.open(backend, c.path(""), adapter ? c.path("adapter") : null)) {
                for (JsonNode line : lines) {
                    int[] ids = ids(line.required("input_ids"));
                    int start = line.required("completion_start").intValue();
                    var item = new Scorer.Item(
                            Arrays.copyOf(ids, start), List.of(Arrays.copyOfRange(ids, start, ids.length)));
                    double[] logProbs = new Scorer(folder.model())
                            .score(List.of(item), done -> {})
                            .getFirst()
                            .getFirst();
                    assertThat(logProbs).hasSize(line.required("logprobs").size());
                    for (int i = 0; i < logProbs.length; i++) {
                        c.check(
                                line.required("id") + " token " + i,
                                logProbs[i],
                                line.required("logprobs").get(i));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void greedyContinuations(Case c) {
        JsonNode lines = c.oracle().required("greedy");
        try (Backend backend = c.open();
                ModelFolder folder = ModelFolder.open(backend, c.path(""), null)) {
            List<int[]> prompts = StreamSupport.stream(lines.spliterator(), false)
                    .map(line -> ids(line.required("input_ids")))
                    .toList();
            var results = new Generator(folder.model())
                    .generate(prompts, new Sampling(16, 0, 0, 1, 0, 1, true, 0), done -> {});
            for (int i = 0; i < prompts.size(); i++) {
                Completion completion = results.get(i).getFirst();
                assertThat(completion.tokens()).isEqualTo(ids(lines.get(i).required("output_ids")));
                for (int t = 0; t < completion.logProbs().length; t++) {
                    c.check(
                            "greedy " + i + " token " + t,
                            completion.logProbs()[t],
                            lines.get(i).required("logprobs").get(t));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void gradient(Case c) {
        JsonNode documents = c.oracle().required("cross_entropy").required("documents");
        try (Backend backend = c.open();
                ModelFolder folder = ModelFolder.open(backend, c.path(""), null);
                Parameters gradient = new Parameters(backend, folder.model().config());
                Activations activations = new Activations(
                        backend,
                        folder.model().config(),
                        Activations.Purpose.TRAINING,
                        new Activations.Capacity(64, 64, 32, 0, 0));
                Safetensors expected = Safetensors.open(c.path("gradient.safetensors"))) {
            PackedBatch batch = new PackedBatch();
            List<Double> coefficients = new ArrayList<>();
            for (JsonNode document : documents) {
                int[] ids = ids(document.required("input_ids"));
                int start = document.required("completion_start").intValue();
                batch.add(ids, start);
                for (int i = start; i < ids.length; i++) {
                    coefficients.add(-1.0 / (ids.length - start) / documents.size());
                }
            }
            double[] coefficient =
                    coefficients.stream().mapToDouble(Double::doubleValue).toArray();
            folder.model().forward(activations, batch, null);
            folder.model().backward(new Gradients(gradient, null), activations, batch, coefficient, null, false);
            double[] logProbs = new double[coefficient.length];
            activations.readLogProbs(logProbs);
            double loss = 0;
            for (int i = 0; i < coefficient.length; i++) {
                loss += coefficient[i] * logProbs[i];
            }
            c.check("loss", loss, c.oracle().required("cross_entropy").required("loss"));
            assertThat(gradient.slab().tensors())
                    .extracting(Tensor::name)
                    .containsExactlyInAnyOrderElementsOf(expected.tensors().keySet());
            for (Tensor d : gradient.slab().tensors()) {
                for (long i = 0; i < d.size(); i++) {
                    c.check(
                            d.name() + "[" + i + "]",
                            d.get(i),
                            expected.tensors().get(d.name()).get(i));
                }
            }
        }
    }

    @Tag("slow")
    @ParameterizedTest
    @MethodSource("cases")
    void training(Case c) {
        c.oracle().required("runs").forEach(run -> train(c, run));
    }

    private static JsonNode preferenceOracle() {
        return Json.read(OracleModel.folder("preference.json"), JsonNode.class);
    }

    static Stream<Case> pairLossCases() {
        String model = preferenceOracle().required("model").textValue();
        return cases().filter(c -> c.folder().equals(model));
    }

    /** The other losses on pairs: {@code src/test/oracle/preference.py}. */
    @Tag("slow")
    @ParameterizedTest
    @MethodSource("pairLossCases")
    void pairLosses(Case c) {
        preferenceOracle().required("pair_runs").forEach(run -> train(c, run));
    }

    /** Single completions, by the same script; each line's mismatched completion is also found here. */
    @Tag("slow")
    @ParameterizedTest
    @MethodSource("pairLossCases")
    void unpairedLosses(Case c) {
        preferenceOracle().required("unpaired_runs").forEach(run -> train(c, run));
    }

    private static void train(Case c, JsonNode run) {
        String name = run.required("name").textValue();
        Path adapter = run.required("adapter").isNull()
                ? null
                : c.path(run.required("adapter").textValue());
        try (Backend backend = c.open();
                ModelFolder folder = adapter == null
                        ? ModelFolder.openToTrain(backend, c.path(""))
                        : ModelFolder.open(backend, c.path(""), adapter)) {
            List<? extends Example> lines = examples(run.required("data"), settings(run.required("settings")));
            List<Example.Document> replay = examples(run.required("replay"), null).stream()
                    .map(Example.Document.class::cast)
                    .toList();
            List<Trainer.Reference> reference = lines.getFirst() instanceof Example.Document
                    ? List.of()
                    : References.of(
                            folder.model().withoutAdapter(),
                            lines,
                            null,
                            settings(run.required("settings")).ldAlpha(),
                            false,
                            done -> {});
            JsonNode mixup = run.required("settings").path("ref_model_mixup_alpha");
            try (Trainer trainer = new Trainer(
                            folder.model(), settings(run.required("settings")), lines, Replay.of(replay), reference);
                    SyncedReference synced = mixup.isMissingNode()
                            ? null
                            : new SyncedReference(
                                    folder.model(),
                                    mixup.doubleValue(),
                                    run.required("settings")
                                            .required("ref_model_sync_steps")
                                            .intValue())) {
                trainer.refer(synced);
                for (JsonNode step : run.required("steps")) {
                    int number = step.required("step").intValue();
                    check(c, name + " step " + number, Json.mapper().valueToTree(trainer.step(number - 1)), step);
                }
            }
            var trained = adapter == null
                    ? folder.model().parameters().slab()
                    : folder.model().lora().slab();
            assertThat(trained.tensors()).hasSize(run.required("final").size());
            for (Tensor tensor : trained.tensors()) {
                check(
                        c,
                        name + " " + tensor.name(),
                        tensor,
                        run.required("final").required(tensor.name()));
            }
        }
    }

    private static void check(Case c, String what, JsonNode actual, JsonNode expected) {
        expected.properties().forEach(field -> {
            // Whether the margin is above 0 is chance where it is 0 but for rounding.
            boolean tie = field.getKey().equals("rewards/accuracies")
                    && Math.abs(expected.required("rewards/margins").doubleValue()) < 1e-3;
            if (!tie) {
                c.check(
                        what + " " + field.getKey(),
                        actual.required(field.getKey()).doubleValue(),
                        field.getValue());
            }
        });
    }

    private static void check(Case c, String what, Tensor actual, JsonNode expected) {
        double sum = 0;
        double squares = 0;
        for (long i = 0; i < actual.size(); i++) {
            sum += actual.get(i);
            squares += actual.get(i) * actual.get(i);
        }
        // The keys' bias, amid the others in GPT-2, moves all scores of a query alike: its gradient is rounding, of
        // which AdamW makes steps.
        if (!what.endsWith("attn.c_attn.bias")) {
            c.check(what + " sum", sum, expected.required("sum"));
            c.check(what + " sum of squares", squares, expected.required("sum_squares"));
        }
        for (int i = 0; i < expected.required("first").size(); i++) {
            c.check(
                    what + "[" + i + "]",
                    actual.get(i),
                    expected.required("first").get(i));
        }
    }

    private static TrainSettings settings(JsonNode s) {
        double beta = s.path("beta").doubleValue();
        UnpairedLoss unpaired = s.has("desirable_weight")
                ? UnpairedLoss.of(
                        s.required("loss_type").get(0).textValue(),
                        new UnpairedLoss.Parameters(
                                beta,
                                s.required("desirable_weight").doubleValue(),
                                s.required("undesirable_weight").doubleValue()))
                : null;
        PreferenceLoss loss = s.has("loss_weights")
                ? PreferenceLoss.of(
                        s.get("loss_type")
                                .valueStream()
                                .map(JsonNode::textValue)
                                .toList(),
                        s.get("loss_weights")
                                .valueStream()
                                .map(JsonNode::doubleValue)
                                .toList(),
                        parameters(s))
                : null;
        return new TrainSettings(
                s.required("batch_size").intValue(),
                s.path("micro_batch_size").asInt(0),
                false,
                new Schedule(
                        Schedule.Kind.CONSTANT,
                        s.required("learning_rate").doubleValue(),
                        0,
                        0,
                        s.required("max_steps").intValue()),
                new AdamW(
                        s.required("adam_beta1").doubleValue(),
                        s.required("adam_beta2").doubleValue(),
                        s.required("adam_epsilon").doubleValue()),
                s.required("weight_decay").doubleValue(),
                s.required("max_grad_norm").doubleValue(),
                loss,
                null,
                unpaired,
                beta,
                s.path("ld_alpha").asDouble(1),
                s.path("replay_batch_size").intValue(),
                s.path("replay_weight").doubleValue(),
                false,
                0,
                UpdateSettings.DEFAULT,
                Packing.STANDARD);
    }

    private static LossParameters parameters(JsonNode s) {
        String divergence = s.path("f_divergence_type").asText("reverse_kl");
        return new LossParameters(
                s.required("beta").doubleValue(),
                s.required("label_smoothing").doubleValue(),
                new Divergence(
                        Divergence.Kind.valueOf(divergence.toUpperCase(Locale.ROOT)),
                        s.path("f_alpha_divergence_coef").asDouble(Divergence.ALPHA)),
                s.path("discopop_tau").asDouble(LossParameters.DISCOPOP_TAU),
                s.path("simpo_gamma").asDouble(LossParameters.SIMPO_GAMMA),
                s.path("cpo_alpha").asDouble(0),
                s.path("use_weighting").asBoolean());
    }

    private static List<? extends Example> examples(JsonNode lines, TrainSettings settings) {
        if (lines.path(0).has("label")) {
            List<Example.Unpaired> each = lines.valueStream()
                    .map(line -> Example.Unpaired.of(
                            ids(line.required("prompt_input_ids")),
                            ids(line.required("completion_input_ids")),
                            line.required("label").booleanValue(),
                            1))
                    .toList();
            int steps = settings.schedule().totalSteps();
            Mismatched all = Mismatched.trained(each, settings, steps, Integer.MAX_VALUE);
            for (int i = 0; i < each.size(); i++) {
                assertThat(all.get(i).pair().rejected())
                        .isEqualTo(ids(lines.get(i).required("other")));
            }
            return all;
        }
        List<Example> examples = new ArrayList<>();
        for (JsonNode line : lines) {
            double weight = line.path("weight").asDouble(1);
            examples.add(
                    line.has("input_ids")
                            ? new Example.Document(
                                    ids(line.get("input_ids")),
                                    line.required("completion_start").intValue(),
                                    weight)
                            : new Example.Preference(
                                    ids(line.required("prompt_input_ids")),
                                    ids(line.required("chosen_input_ids")),
                                    ids(line.required("rejected_input_ids")),
                                    weight));
        }
        return examples;
    }

    private static int[] ids(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
