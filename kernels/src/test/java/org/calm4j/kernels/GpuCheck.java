package org.calm4j.kernels;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * What is run on a machine with a GPU, without a build: the tests of this module, then timings. {@code kernels/gpu-check} packs it.
 *
 * <p>Arguments: {@code test}, {@code bench}, or both; {@code tiny} for sizes that the stand-in can do.
 */
final class GpuCheck {
    private static final int WARM_UP = 3;
    private static final int RUNS = 10;

    private GpuCheck() {
    }

    public static void main(String[] arguments) {
        List<String> wanted = List.of(arguments);
        CudaProbe probe = CudaProbe.run();
        if (!probe.usable()) {
            System.err.println("gpu-check: " + String.join("; ", probe.missing()));
            System.exit(1);
        }
        CudaNatives.loadCublas();
        boolean passed = !wanted.contains("test") || test();
        if (wanted.contains("bench")) {
            for (Precision precision : Precision.values()) {
                bench(precision, wanted.contains("tiny") ? 32 : 1);
            }
        }
        System.exit(passed ? 0 : 1);
    }

    private static boolean test() {
        Launcher launcher = LauncherFactory.create();
        SummaryGeneratingListener summary = new SummaryGeneratingListener();
        launcher.execute(LauncherDiscoveryRequestBuilder.request().selectors(selectClass(CudaBackendConformanceTest.class),
                selectClass(CudaBf16ConformanceTest.class), selectClass(Bf16AttentionTest.class), selectClass(CudaModelTest.class),
                selectClass(PtxTest.class)).build(), summary);
        summary.getSummary().printTo(new PrintWriter(System.out));
        summary.getSummary().printFailuresTo(new PrintWriter(System.out), 5);
        return summary.getSummary().getTotalFailureCount() == 0;
    }

    /** @param divisor of the sizes */
    private static void bench(Precision precision, int divisor) {
        List<Buffer> buffers = new ArrayList<>();
        try (CudaBackend b = new CudaBackend(0, precision)) {
            System.out.println(b.describe());
            long n = 4096 / divisor;
            Tensor x = tensor(b, buffers, n, n);
            Tensor w = tensor(b, buffers, n, n);
            Tensor out = tensor(b, buffers, n, n);
            report("linear " + n + "³", 2.0 * n * n * n, 0, time(b, out, () -> b.linearForward(out, x, w, 1, false)));
            if (precision == Precision.F32) {
                memory(b, buffers, n);
                attention(b, buffers, (int) n);
            }
            buffers.forEach(Buffer::close);
        }
    }

    private static void memory(Backend b, List<Buffer> buffers, long n) {
        Tensor x = tensor(b, buffers, n, n);
        Tensor out = tensor(b, buffers, n, n);
        Tensor m = tensor(b, buffers, n, n);
        Tensor v = tensor(b, buffers, n, n);
        Tensor weight = tensor(b, buffers, n);
        Tensor rstd = tensor(b, buffers, n);
        double bytes = 4.0 * n * n;
        report("rmsNorm forward", 0, 2 * bytes, time(b, out, () -> b.rmsNormForward(out, rstd, x, weight, 1e-5)));
        report("swiGlu forward", 0, 3 * bytes, time(b, out, () -> b.swiGluForward(out, x, m)));
        report("adamW", 0, 7 * bytes, time(b, out, () -> b.adamW(out, m, v, x, AdamW.DEFAULT, 1e-3, 0.1, 1, 5)));
        Tensor one = tensor(b, buffers, 1);
        report("launch of one element", 0, 0, time(b, out, () -> b.geluForward(one, one)));
    }

    private static void attention(Backend b, List<Buffer> buffers, int rows) {
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
        report("attention forward", 4 * pairs * d, 0,
                time(b, lse, () -> b.attentionForward(t.get(0), lse, t.get(1), t.get(2), t.get(3), segments, scale, 0)));
        report("attention backward", 14 * pairs * d, 0, time(b, lse, () -> b.attentionBackward(t.get(4), t.get(5), t.get(6), t.get(7),
                t.get(0),
                lse, t.get(1), t.get(2), t.get(3), segments, scale, 0)));
    }

    private static Tensor tensor(Backend b, List<Buffer> buffers, long... shape) {
        Buffer buffer = b.allocate(4 * Tensor.product(shape));
        buffers.add(buffer);
        return new Tensor("t", buffer, 0, DType.F32, shape);
    }

    /** Seconds of one run, the launches of all runs going out before the wait; reading a tensor waits. */
    private static double time(Backend b, Tensor read, Runnable run) {
        double[] first = new double[1];
        for (int i = 0; i < WARM_UP; i++) {
            run.run();
        }
        b.read(first, read, 1);
        long start = System.nanoTime();
        for (int i = 0; i < RUNS; i++) {
            run.run();
        }
        b.read(first, read, 1);
        return (System.nanoTime() - start) * 1e-9 / RUNS;
    }

    private static void report(String what, double flops, double bytes, double seconds) {
        System.out.printf(Locale.ROOT, "%-24s %10.1f µs%s%s%n", what, seconds * 1e6,
                flops == 0 ? "" : String.format(Locale.ROOT, " %8.2f TFLOP/s", flops / seconds * 1e-12),
                bytes == 0 ? "" : String.format(Locale.ROOT, " %8.1f GB/s", bytes / seconds * 1e-9));
    }
}
