package org.calm4j.kernels;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.Schedule;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.kernels.driver.CudaGraph;
import org.calm4j.kernels.driver.Device;

/**
 * Timings on a GPU beside what it could do: products, attention, operations bound by memory, steps of training, decoding. Shares are of
 * {@link GpuPeaks}.
 */
final class GpuBench {
    private static final int WARM_UP = 3;
    private static final int RUNS = 10;
    private static final int STEPS = 5;
    private static final int RANDOM_NUMBERS = 1 << 20;

    private final int divisor;
    private final GpuPeaks peaks = GpuPeaks.of(0);
    private final Path file;

    /**
     * @param divisor of the sizes; 1 on a GPU
     * @param file gets a row as benchmarks/history has them with each result, so that a kill loses none
     */
    GpuBench(int divisor, Path file) {
        this.divisor = divisor;
        this.file = file;
    }

    void run() {
        System.out.println(peaks);
        for (Precision precision : Precision.values()) {
            operations(precision);
        }
        int length = 1024 / divisor;
        int vocabulary = 32_000 / divisor;
        ModelConfig small = Llama.config(
                50_304 / divisor, 768 / divisor, 3072 / divisor, divisor == 1 ? 12 : 1, 12, 12, 4 * length, 0);
        ModelConfig large =
                Llama.config(vocabulary, 2048 / divisor, 5632 / divisor, divisor == 1 ? 22 : 1, 32, 4, 4 * length, 0);
        training("gpt2-124m shape", small, 8, length);
        training("llama-1b shape", large, 4, length);
        decoding("llama-1b shape", large, 1, 256 / divisor);
        decoding("llama-1b shape", large, 64 / Math.min(16, divisor), 256 / divisor);
    }

    private void operations(Precision precision) {
        List<Buffer> buffers = new ArrayList<>();
        try (CudaBackend b = new CudaBackend(0, precision)) {
            System.out.println(b.describe());
            long n = 4096 / divisor;
            Tensor x = tensor(b, buffers, n, n);
            Tensor w = tensor(b, buffers, n, n);
            Tensor out = tensor(b, buffers, n, n);
            report(
                    "linear " + n + "^3",
                    precision,
                    2.0 * n * n * n,
                    0,
                    time(b, () -> b.linearForward(out, x, w, 1, false)));
            attention(b, precision, buffers, (int) n);
            decode(b, precision, buffers, (int) n);
            if (precision == Precision.F32) {
                memory(b, buffers, n);
            }
            buffers.forEach(Buffer::close);
        }
    }

    private void memory(CudaBackend b, List<Buffer> buffers, long n) {
        Tensor x = tensor(b, buffers, n, n);
        Tensor out = tensor(b, buffers, n, n);
        Tensor m = tensor(b, buffers, n, n);
        Tensor v = tensor(b, buffers, n, n);
        Tensor weight = tensor(b, buffers, n);
        Tensor rstd = tensor(b, buffers, n);
        double bytes = 4.0 * n * n;
        report(
                "rmsNorm forward",
                Precision.F32,
                0,
                2 * bytes,
                time(b, () -> b.rmsNormForward(out, rstd, x, null, weight, 1e-5)));
        report(
                "rmsNorm forward with residual",
                Precision.F32,
                0,
                4 * bytes,
                time(b, () -> b.rmsNormForward(out, rstd, x, m, weight, 1e-5)));
        report("swiGlu forward", Precision.F32, 0, 3 * bytes, time(b, () -> b.swiGluForward(out, x, m)));
        report(
                "adamW",
                Precision.F32,
                0,
                7 * bytes,
                time(b, () -> b.adamW(out, m, v, x, AdamW.DEFAULT, 1e-3, 0.1, 1, 5)));
        Tensor one = tensor(b, buffers, 1);
        report("launch of one element", Precision.F32, 0, 0, time(b, () -> b.geluForward(one, one)));
    }

    private void attention(CudaBackend b, Precision precision, List<Buffer> buffers, int rows) {
        int heads = 16;
        int d = 128;
        List<Tensor> t = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            t.add(tensor(b, buffers, rows, heads, d));
        }
        Tensor lse = tensor(b, buffers, rows, heads);
        Segments segments = new Segments();
        segments.add(0, rows, 0, rows, Segments.NONE);
        double pairs = 0.5 * rows * (rows + 1.0) * heads;
        double scale = 1 / Math.sqrt(d);
        report(
                "attention forward " + rows,
                precision,
                4 * pairs * d,
                0,
                time(b, () -> b.attentionForward(t.get(0), lse, t.get(1), t.get(2), t.get(3), segments, scale, 0)));
        // As others count it: five products, though two are computed twice here.
        report(
                "attention backward " + rows,
                precision,
                10 * pairs * d,
                0,
                time(
                        b,
                        () -> b.attentionBackward(
                                t.get(4), t.get(5), t.get(6), t.get(7), t.get(0), lse, t.get(1), t.get(2), t.get(3),
                                segments, scale, 0)));
    }

    /** Attention of one new token of each of 16 sequences, whose keys and values fill a cache of so many rows. */
    private void decode(CudaBackend b, Precision precision, List<Buffer> buffers, int rows) {
        int sequences = Math.min(16, rows);
        int heads = 32;
        int groups = 8;
        int d = 128;
        DType type = b.cacheType(d);
        Tensor q = tensor(b, buffers, sequences, heads, d);
        Tensor out = tensor(b, buffers, sequences, heads, d);
        Tensor lse = tensor(b, buffers, sequences, heads);
        List<Tensor> cache = new ArrayList<>();
        for (String name : List.of("keys", "values")) {
            buffers.add(b.allocate((long) rows * groups * d * type.bytes()));
            cache.add(new Tensor(name, buffers.getLast(), 0, type, rows, groups, d));
            fill(b, cache.getLast());
        }
        Segments segments = new Segments();
        int length = rows / sequences;
        for (int s = 0; s < sequences; s++) {
            segments.add(s, 1, s * length, length, Segments.NONE);
        }
        double pairs = (double) sequences * length * heads;
        report(
                "attention of " + sequences + " tokens over " + sequences * length,
                precision,
                4 * pairs * d,
                2.0 * sequences * length * groups * d * type.bytes(),
                time(
                        b,
                        () -> b.attentionForward(
                                out, lse, q, cache.get(0), cache.get(1), segments, 1 / Math.sqrt(d), 0)));
    }

    /** All weights trained in BF16, on random tokens. */
    private void training(String name, ModelConfig config, int sequences, int length) {
        Random random = new Random(1);
        List<Example.Document> lines = new ArrayList<>();
        for (int i = 0; i < sequences; i++) {
            lines.add(new Example.Document(
                    random.ints(length + 1, 0, config.vocabulary().size()).toArray(), 1, 1));
        }
        TrainSettings settings = new TrainSettings(
                sequences,
                sequences,
                false,
                new Schedule(Schedule.Kind.CONSTANT, 1e-4, 0, 0, 100),
                AdamW.DEFAULT,
                0.1,
                1,
                null,
                0,
                0,
                0,
                false,
                1);
        try (Backend b = new CudaBackend(0, Precision.BF16);
                Parameters parameters = Parameters.random(b, config, 1);
                Trainer trainer =
                        new Trainer(new CausalLm(config, parameters, null), settings, lines, Replay.NONE, List.of())) {
            System.out.println(trainer.memory());
            int steps = divisor == 1 ? STEPS : 1;
            for (int step = 0; step < steps; step++) {
                trainer.step(step);
            }
            long start = System.nanoTime();
            for (int step = steps; step < 2 * steps; step++) {
                trainer.step(step);
            }
            double seconds = (System.nanoTime() - start) * 1e-9 / steps;
            double tokens = (double) sequences * length;
            // Products of the weights, the embedding's only as the head; and half the scores, which attention computes.
            double weights = parameters.tensors().stream()
                    .mapToLong(w -> w.rank() == 2 ? w.size() : 0)
                    .sum();
            double flops = tokens
                    * (6 * weights
                            + 6.0
                                    * config.layers()
                                    * length
                                    * config.attention().heads()
                                    * config.attention().headDim());
            report("training step " + name, Precision.BF16, flops, 0, seconds);
            row("tokens per second", name + " precision=BF16 rows=" + (int) tokens, tokens / seconds, "tokens/s");
        }
    }

    /** Weights as a model has that was stored in BF16: each step reads all of them. */
    private void decoding(String name, ModelConfig config, int sequences, int tokens) {
        try (Backend b = new CudaBackend(0, Precision.BF16);
                Parameters parameters = Parameters.random(b, config, 1)) {
            b.trains(parameters.block());
            Generator generator = new Generator(new CausalLm(config, parameters, null));
            Sampling sampling = new Sampling(tokens, 1, 0, 1, 0, sequences, true, 1);
            int[] prompt = new int[16];
            Arrays.setAll(prompt, i -> i % config.vocabulary().size());
            generator.generate(List.of(prompt), sampling, done -> {});
            long start = System.nanoTime();
            generator.generate(List.of(prompt), sampling, done -> {});
            double seconds = (System.nanoTime() - start) * 1e-9;
            double weights =
                    2.0 * parameters.tensors().stream().mapToLong(Tensor::size).sum();
            report("decoding step " + name + " x" + sequences, Precision.BF16, 0, weights, seconds / tokens);
            row(
                    "tokens per second",
                    name + " decoding precision=BF16 sequences=" + sequences,
                    sequences * tokens / seconds,
                    "tokens/s");
        }
    }

    /** Filled with random numbers: zeros switch few transistors, and products over them are faster than they will ever be. */
    private static Tensor tensor(Backend b, List<Buffer> buffers, long... shape) {
        Buffer buffer = b.allocate(4 * Tensor.product(shape));
        buffers.add(buffer);
        Tensor tensor = new Tensor("t", buffer, 0, DType.F32, shape);
        fill(b, tensor);
        return tensor;
    }

    /** Numbers from -1 to 1, the same ones again and again. */
    private static void fill(Backend b, Tensor tensor) {
        long size = tensor.bytes() / Float.BYTES;
        double[] some = new double[(int) Math.min(size, RANDOM_NUMBERS)];
        Random random = new Random(3);
        for (int i = 0; i < some.length; i++) {
            some[i] = tensor.type() == DType.F32 ? 2 * random.nextFloat() - 1 : pair(random);
        }
        for (long at = 0; at < size; at += some.length) {
            int count = (int) Math.min(some.length, size - at);
            b.write(
                    new Tensor("numbers", tensor.buffer(), tensor.offset() + Float.BYTES * at, DType.F32, count),
                    some,
                    count);
        }
    }

    /** Two numbers in BF16, as the bits of one in F32. */
    private static float pair(Random random) {
        int low = Float.floatToIntBits(2 * random.nextFloat() - 1) >>> 16;
        int high = Float.floatToIntBits(2 * random.nextFloat() - 1) >>> 16;
        return Float.intBitsToFloat(high << 16 | low);
    }

    /** Seconds of one run: all runs are one graph, and two events around it tell the time, so the host's own work is not in it. */
    private static double time(CudaBackend b, Runnable run) {
        for (int i = 0; i < WARM_UP; i++) {
            run.run();
        }
        Device device = b.gpu().device();
        device.stream().synchronize();
        CUevent start = new CUevent();
        CUevent end = new CUevent();
        JCudaDriver.cuEventCreate(start, CUevent_flags.CU_EVENT_DEFAULT);
        JCudaDriver.cuEventCreate(end, CUevent_flags.CU_EVENT_DEFAULT);
        try (CudaGraph graph = new CudaGraph(device, () -> {
            for (int i = 0; i < RUNS; i++) {
                run.run();
            }
        })) {
            graph.launch();
            JCudaDriver.cuEventRecord(start, device.stream().handle());
            graph.launch();
            JCudaDriver.cuEventRecord(end, device.stream().handle());
            JCudaDriver.cuEventSynchronize(end);
            float[] milliseconds = new float[1];
            JCudaDriver.cuEventElapsedTime(milliseconds, start, end);
            return milliseconds[0] * 1e-3 / RUNS;
        } finally {
            JCudaDriver.cuEventDestroy(start);
            JCudaDriver.cuEventDestroy(end);
        }
    }

    private void report(String what, Precision precision, double flops, double bytes, double seconds) {
        System.out.printf(
                Locale.ROOT,
                "%-34s %-4s %12.1f us%s%s%n",
                what,
                precision,
                seconds * 1e6,
                flops == 0
                        ? ""
                        : String.format(
                                Locale.ROOT,
                                " %8.2f TFLOP/s, %5.1f %% of the peak",
                                flops / seconds * 1e-12,
                                100 * flops / seconds / peaks.flops(precision)),
                bytes == 0
                        ? ""
                        : String.format(
                                Locale.ROOT,
                                " %8.1f GB/s, %5.1f %% of the bandwidth",
                                bytes / seconds * 1e-9,
                                100 * bytes / seconds / peaks.bandwidth()));
        row(what, "precision=" + precision, seconds * 1e6, "us");
        if (flops > 0) {
            row(what, "precision=" + precision, 100 * flops / seconds / peaks.flops(precision), "% of peak");
        }
        if (bytes > 0) {
            row(what, "precision=" + precision, 100 * bytes / seconds / peaks.bandwidth(), "% of bandwidth");
        }
    }

    private void row(String benchmark, String params, double score, String unit) {
        String row = String.format(
                Locale.ROOT,
                "%s,%s,%s,%s,gpu %s,%s,%.4g,0,%s%n",
                LocalDate.now(),
                System.getProperty("calm.commit", "unknown"),
                peaks.name(),
                Runtime.version(),
                benchmark,
                params,
                score,
                unit);
        try {
            Files.writeString(file, row, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
