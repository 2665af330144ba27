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
import org.calm4j.engine.op.cases.OpCases;
import org.calm4j.engine.op.cases.TimedCase;
import org.calm4j.engine.op.cases.Trial;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.optim.Schedule;
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

    /** The large cases of {@link OpCases}; those that only memory bounds are the same in any precision. */
    private void operations(Precision precision) {
        try (CudaBackend b = new CudaBackend(0, precision)) {
            System.out.println(b.describe());
            for (TimedCase of : OpCases.timed(divisor)) {
                try (Trial trial = Trial.of(of, b)) {
                    for (TimedCase.Work work : of.work(trial)) {
                        if (work.flops() > 0 || precision == Precision.F32) {
                            String what = of.name() + " " + work.what();
                            report(what, precision, work.flops(), work.bytes(), time(b, work.run()));
                        }
                    }
                }
            }
        }
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
            b.markTrained(parameters.slab());
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
                "%-58s %-4s %12.1f us%s%s%n",
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
