package org.calm4j.calm.bench;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.world.World;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.text.Tokenizer;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Packing;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.optim.Schedule;

/** What {@code calm bench} measures. The memory of a workload is freed when the next one is requested, and on closing. */
final class Workloads implements AutoCloseable {
    private static final int[][] PRODUCTS = {
        {512, 768, 768}, {512, 3072, 768}, {512, 768, 3072}, {8, 3072, 768}, {1, 3072, 768}
    };
    private static final int TEXTS = 4;
    private static final int TEXT_TOKENS = 64;
    private static final int PROMPT = 250;
    private static final int COMPLETION = 100;
    private static final int PAIRS = 2;
    private static final int PAIRS_OF_ONE_PROMPT = 4;
    private static final int DECODED = 32;
    private static final int TOGETHER = 32;

    private final Backend backend;
    private final String model;
    private final ModelConfig config;
    private final Random random = new Random(1);
    private final List<AutoCloseable> open = new ArrayList<>();
    private final Map<String, Function<Workloads, Stream<Workload>>> byName = new LinkedHashMap<>();

    /** @param model as {@link Models#config} takes it */
    Workloads(Backend backend, String model) {
        this.backend = backend;
        this.model = model;
        config = Models.config(model);
        byName.put("products", Workloads::products);
        byName.put("train-step", Workloads::trainStep);
        byName.put("dpo-step", Workloads::dpoStep);
        byName.put("decode", Workloads::decode);
        byName.put("sample", Workloads::sample);
        byName.put("tokenize", Workloads::tokenize);
    }

    static List<String> names() {
        return List.of("products", "train-step", "dpo-step", "decode", "sample", "tokenize");
    }

    /** Lazily, so that the memory of one is freed before the next takes its own. */
    Stream<Workload> named(String name) {
        return byName.get(name).apply(this);
    }

    private Stream<Workload> products() {
        return Arrays.stream(PRODUCTS).map(shape -> {
            close();
            int rows = shape[0];
            int outputs = shape[1];
            int inputs = shape[2];
            Tensor out = tensor(rows, outputs);
            Tensor x = tensor(rows, inputs);
            Tensor w = tensor(outputs, inputs);
            double flops = 2.0 * rows * outputs * inputs;
            return new Workload(
                    "product",
                    rows + "x" + outputs + "x" + inputs,
                    flops * 1e-9,
                    "GFLOP",
                    flops,
                    0,
                    () -> backend.linearForward(out, x, w, 1, false));
        });
    }

    private Stream<Workload> trainStep() {
        return Stream.of(0).map(none -> {
            List<Example.Document> texts = IntStream.range(0, TEXTS)
                    .mapToObj(i -> new Example.Document(tokens(TEXT_TOKENS + 1), 1, 1))
                    .toList();
            double rows = TEXTS * TEXT_TOKENS;
            double flops = 3 * Models.forwardFlops(config, rows, rows, TEXTS * triangle(TEXT_TOKENS));
            return step("train-step", TEXTS + "x" + TEXT_TOKENS, texts, null, Packing.STANDARD, rows, flops);
        });
    }

    /** Pairs as CALM makes them, with the prompt computed once, and the same tokens with the prompt repeated for each completion. */
    private Stream<Workload> dpoStep() {
        return Stream.concat(pairsOfPrompts(), pairsOfOnePrompt());
    }

    /** Several pairs on one prompt, which is computed for each of them, and then once. */
    private Stream<Workload> pairsOfOnePrompt() {
        double scored = PAIRS_OF_ONE_PROMPT * 2.0 * COMPLETION;
        return Stream.of(false, true).map(shared -> {
            int[] prompt = tokens(PROMPT);
            List<Example> lines = new ArrayList<>();
            for (int i = 0; i < PAIRS_OF_ONE_PROMPT; i++) {
                lines.add(new Example.Preference(prompt.clone(), tokens(COMPLETION), tokens(COMPLETION), 1));
            }
            Workload step = step(
                    "dpo-step",
                    "prompt " + (shared ? "once " : "each ") + PROMPT + "+" + PAIRS_OF_ONE_PROMPT + "x2x" + COMPLETION,
                    lines,
                    new PreferenceLoss.DpoSigmoid(0.1, 0),
                    new Packing(0, shared, false),
                    PAIRS_OF_ONE_PROMPT,
                    pairsFlops(shared ? 1 : PAIRS_OF_ONE_PROMPT));
            if (!shared) {
                return step;
            }
            Runnable each = steps(trainer(random(), lines, new PreferenceLoss.DpoSigmoid(0.1, 0), Packing.STANDARD));
            return step.with(new Workload.Spared(
                    each,
                    (PAIRS_OF_ONE_PROMPT * PROMPT + scored) / (PROMPT + scored),
                    pairsFlops(PAIRS_OF_ONE_PROMPT) / pairsFlops(1)));
        });
    }

    /** Of a step over the pairs of one prompt, computed so many times. */
    private double pairsFlops(int prompts) {
        double scored = PAIRS_OF_ONE_PROMPT * 2.0 * COMPLETION;
        double keys = 2 * PAIRS_OF_ONE_PROMPT * (triangle(PROMPT + COMPLETION) - triangle(PROMPT))
                + prompts * triangle(PROMPT);
        return 3 * Models.forwardFlops(config, prompts * PROMPT + scored, scored, keys);
    }

    private Stream<Workload> pairsOfPrompts() {
        return Stream.of(true, false).map(shared -> {
            List<Example> lines = new ArrayList<>();
            for (int i = 0; i < PAIRS; i++) {
                int[] prompt = tokens(PROMPT);
                if (shared) {
                    lines.add(new Example.Preference(prompt, tokens(COMPLETION), tokens(COMPLETION), 1));
                } else {
                    for (int completion = 0; completion < 2; completion++) {
                        lines.add(new Example.Document(
                                IntStream.concat(Arrays.stream(prompt), Arrays.stream(tokens(COMPLETION)))
                                        .toArray(),
                                PROMPT,
                                1));
                    }
                }
            }
            double rows = PAIRS * (double) (shared ? PROMPT + 2 * COMPLETION : 2 * (PROMPT + COMPLETION));
            double keys = PAIRS * (2 * triangle(PROMPT + COMPLETION) - (shared ? triangle(PROMPT) : 0));
            double flops = 3 * Models.forwardFlops(config, rows, PAIRS * 2 * COMPLETION, keys);
            return step(
                    "dpo-step",
                    (shared ? "shared" : "apart") + " " + PAIRS + "x(" + PROMPT + "+2x" + COMPLETION + ")",
                    lines,
                    shared ? new PreferenceLoss.DpoSigmoid(0.1, 0) : null,
                    Packing.STANDARD,
                    PAIRS,
                    flops);
        });
    }

    private Workload step(
            String name,
            String params,
            List<? extends Example> lines,
            PreferenceLoss loss,
            Packing packing,
            double amount,
            double flops) {
        return new Workload(
                name,
                params,
                amount,
                loss == null && name.startsWith("train") ? "token" : "pair",
                flops,
                0,
                steps(trainer(model(), lines, loss, packing)));
    }

    private static Runnable steps(Trainer trainer) {
        int[] step = new int[1];
        return () -> trainer.step(step[0]++);
    }

    private Trainer trainer(CausalLm model, List<? extends Example> lines, PreferenceLoss loss, Packing packing) {
        TrainSettings settings = new TrainSettings(
                        lines.size(),
                        0,
                        false,
                        new Schedule(Schedule.Kind.CONSTANT, 1e-5, 0, 0, 1),
                        AdamW.DEFAULT,
                        0.1,
                        1,
                        loss,
                        0.1,
                        0,
                        0,
                        false,
                        1)
                .packed(packing);
        List<Trainer.Reference> references = loss == null
                ? List.of()
                : lines.stream().map(line -> new Trainer.Reference(0, 0, null)).toList();
        Trainer trainer = new Trainer(model, settings, lines, Replay.NONE, references);
        open.add(trainer);
        return trainer;
    }

    private Stream<Workload> decode() {
        return Stream.of(1, TOGETHER).map(sequences -> generation("decode", sequences, 1, 0));
    }

    private Stream<Workload> sample() {
        return Stream.of(0).map(none -> generation("sample", 4, 8, 1));
    }

    private Workload generation(String name, int prompts, int samples, double temperature) {
        CausalLm model = model();
        model.parameters().freeze();
        Generator generator = new Generator(model);
        List<int[]> texts = Stream.generate(() -> tokens(4)).limit(prompts).toList();
        Sampling sampling = new Sampling(DECODED, temperature, 0, 1, 0, samples, true, 1);
        double weights = 4 * Models.matrices(config);
        return new Workload(
                name,
                prompts + "x" + samples + " sequences",
                (double) DECODED * prompts * samples,
                "token",
                prompts * samples == 1 ? 0 : 2.0 * DECODED * prompts * samples * Models.matrices(config),
                DECODED * weights,
                () -> generator.generate(texts, sampling, done -> {}));
    }

    /** Statements in six languages, one text; on one thread, as all tokenizing is. */
    private Stream<Workload> tokenize() {
        return Stream.of(0).map(none -> {
            World world = World.create(WorldConfig.standard(), 1);
            List<String> statements = world.facts().stream()
                    .flatMap(fact ->
                            world.config().languages().stream().map(language -> world.statement(language, fact)))
                    .toList();
            Tokenizer tokenizer = Models.tokenizer(model, statements);
            String text = String.join("\n", statements);
            double bytes = text.getBytes(StandardCharsets.UTF_8).length;
            return new Workload(
                    "tokenize",
                    Math.round(bytes / 1000) + " kB of text",
                    bytes * 1e-6,
                    "MB",
                    0,
                    0,
                    () -> tokenizer.encode(text));
        });
    }

    private CausalLm model() {
        close();
        return random();
    }

    private CausalLm random() {
        Parameters parameters = Parameters.random(backend, config, 1);
        open.add(parameters);
        return new CausalLm(config, parameters, null);
    }

    /** Keys that the queries of a text see, together. */
    private static double triangle(double tokens) {
        return tokens * (tokens + 1) / 2;
    }

    private int[] tokens(int count) {
        return random.ints(count, 0, config.vocabulary().size()).toArray();
    }

    private Tensor tensor(long... shape) {
        Buffer buffer = backend.allocate(Tensor.product(shape) * DType.F32.bytes());
        open.add(buffer);
        Tensor tensor = new Tensor("input", buffer, 0, DType.F32, shape);
        double[] values = random.doubles(tensor.size(), -1, 1).toArray();
        backend.write(tensor, values, values.length);
        return tensor;
    }

    @Override
    public void close() {
        for (AutoCloseable each : open.reversed()) {
            try {
                each.close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
        open.clear();
    }
}
