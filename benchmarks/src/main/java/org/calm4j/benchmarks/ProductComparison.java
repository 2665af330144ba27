package org.calm4j.benchmarks;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas;
import org.calm4j.calm.bench.History;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * The three products of training compared with OpenBLAS, in turns within one process: each round times both, so that a disturbed moment disturbs
 * both, and a ratio is the median over rounds of OpenBLAS's time divided by ours. JMH runs one after another and cannot do that.
 *
 * <pre>
 * java -cp benchmarks/target/benchmarks.jar … org.calm4j.benchmarks.ProductComparison [threads=1] [random=500] [history=benchmarks/history] [SHAPE…]
 * </pre>
 * A shape is a layout, and rows, outputs, inputs: {@code nt512x768x3072} (x·wᵀ), {@code nn…} (dOut·w), {@code tn…} (dW += dOutᵀ·x). A trailing
 * {@code c} reads another weight each time, so that it comes from memory.
 */
public final class ProductComparison {
    private static final List<String> SHAPES = List.of(
            "nt512x768x768",
            "nt512x3072x768",
            "nt512x768x3072",
            "nt512x6288x768",
            "nt256x768x768",
            "nt256x2304x768",
            "nn256x768x768",
            "nn256x3072x768",
            "nn256x768x3072",
            "tn256x768x768",
            "tn256x3072x768",
            "tn256x768x3072",
            "nt640x128x128",
            "nt640x344x128",
            "nt640x950x128",
            "nt16x3072x768",
            "nt8x3072x768",
            "nt8x3072x768c",
            "nt8x50257x768c",
            "nt1x3072x768",
            "nt1x3072x768c",
            "nt1x50257x768c");
    private static final long COLD_BYTES = 512L << 20;
    private static final double ROUND_SECONDS = 0.004;
    /** Of each kind of shape: until all of its code is compiled. */
    private static final long WARM_UP_NANOS = 400_000_000L;

    private static final int ROUNDS = 41;
    private static final int RANDOM_ROUNDS = 9;

    private final Backend backend;
    private final Random random = new Random(1);

    private ProductComparison(Backend backend) {
        this.backend = backend;
    }

    /**
     * The ratio of one shape.
     *
     * @param ours GFLOP/s
     * @param ratio of OpenBLAS's time to ours; above 1 is faster than OpenBLAS
     * @param spread half the distance of the ratio's quartiles
     */
    private record Ratio(String shape, double ours, double ratio, double spread) {}

    /** Operands of one product; {@code w} are equal ones, read in turns. */
    private record Operands(
            String layout, int t, int n, int k, Tensor x, List<Tensor> w, Tensor out, List<Buffer> buffers) {}

    public static void main(String[] arguments) {
        if (System.getenv("OPENBLAS_CORETYPE") != null) {
            System.err.println(
                    "OPENBLAS_CORETYPE is set, which makes OpenBLAS run as on another processor; unset it for a fair comparison");
            System.exit(2);
        }
        int threads = 1;
        int count = 0;
        Path history = null;
        List<String> shapes = new ArrayList<>();
        for (String argument : arguments) {
            if (argument.startsWith("threads=")) {
                threads = Integer.parseInt(argument.substring(8));
            } else if (argument.startsWith("random=")) {
                count = Integer.parseInt(argument.substring(7));
            } else if (argument.startsWith("history=")) {
                history = Path.of(argument.substring(8));
            } else {
                shapes.add(argument);
            }
        }
        openblas.blas_set_num_threads(threads);
        System.out.printf(
                "OpenBLAS %s, core %s, threads %d%n",
                described("openblas_get_config"), described("openblas_get_corename"), threads);
        List<Ratio> results = new ArrayList<>();
        try (Backend backend = Backends.open("cpu", threads)) {
            ProductComparison comparison = new ProductComparison(backend);
            comparison.warmUp();
            for (String shape : shapes.isEmpty() && count == 0 ? SHAPES : shapes) {
                Ratio ratio = comparison.measure(shape, ROUNDS);
                results.add(ratio);
                System.out.printf(
                        Locale.ROOT,
                        "%-18s %7.1f GFLOP/s  x%.3f ±%.3f%n",
                        ratio.shape,
                        ratio.ours,
                        ratio.ratio,
                        ratio.spread);
            }
            if (count > 0) {
                comparison.sweep(count).forEach(results::add);
            }
        }
        if (history != null) {
            String suffix = " threads=" + threads;
            History.append(
                    history,
                    results.stream()
                            .map(r -> new History.Row(
                                    "product/openblas", "shape=" + r.shape + suffix, r.ratio, r.spread, "ratio"))
                            .toList());
        }
    }

    /** The result of an OpenBLAS function without arguments, which the Java API leaves out. */
    @SuppressWarnings("restricted")
    private static String described(String function) {
        Path library = Path.of(Loader.load(openblas.class)).resolveSibling("libopenblas.so.0");
        MemorySegment symbol =
                SymbolLookup.libraryLookup(library, Arena.global()).findOrThrow(function);
        try {
            MemorySegment text = (MemorySegment) Linker.nativeLinker()
                    .downcallHandle(symbol, FunctionDescriptor.of(ValueLayout.ADDRESS))
                    .invokeExact();
            return text.reinterpret(Long.MAX_VALUE).getString(0);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Random shapes of 1 to 1000 each way, all layouts; prints the distribution and the slowest. */
    private List<Ratio> sweep(int count) {
        List<Ratio> ratios = new ArrayList<>();
        DescriptiveStatistics statistics = new DescriptiveStatistics();
        for (int i = 0; i < count; i++) {
            String layout = List.of("nt", "nn", "tn").get(i % 3);
            Ratio ratio = measure(
                    layout + (1 + random.nextInt(1000)) + "x" + (1 + random.nextInt(1000)) + "x"
                            + (1 + random.nextInt(1000)),
                    RANDOM_ROUNDS);
            ratios.add(ratio);
            statistics.addValue(ratio.ratio);
        }
        System.out.printf(
                Locale.ROOT,
                "%d random shapes: least %.3f, 1 %% %.3f, 10 %% %.3f, median %.3f%n",
                count,
                statistics.getMin(),
                statistics.getPercentile(1),
                statistics.getPercentile(10),
                statistics.getPercentile(50));
        ratios.stream()
                .sorted((a, b) -> Double.compare(a.ratio, b.ratio))
                .limit(8)
                .forEach(r -> System.out.printf(
                        Locale.ROOT, "  %-18s %7.1f GFLOP/s  x%.3f ±%.3f%n", r.shape, r.ours, r.ratio, r.spread));
        return List.of(
                new Ratio("random" + count + "-least", 0, statistics.getMin(), 0),
                new Ratio(
                        "random" + count + "-median",
                        0,
                        statistics.getPercentile(50),
                        (statistics.getPercentile(75) - statistics.getPercentile(25)) / 2));
    }

    private void warmUp() {
        for (String shape : List.of(
                "nt160x160x160",
                "nn160x160x160",
                "tn160x160x160",
                "nt161x93x77",
                "nn161x93x77",
                "tn161x93x77",
                "nt8x300x300",
                "nt5x300x300",
                "nt3x300x300",
                "nt1x300x300",
                "nn1x300x300",
                "nn7x300x300",
                "nt100x200x16",
                "nt300x1x300",
                "nn161x1x300",
                "tn1x93x77",
                "nt300x5x300",
                "nt1x50x168",
                "nt161x200x800",
                "nt128x768x768")) {
            Operands operands = operands(shape, 1);
            long end = System.nanoTime() + WARM_UP_NANOS;
            while (System.nanoTime() < end) {
                ours(operands, 0);
            }
            close(operands);
        }
    }

    private Ratio measure(String shape, int rounds) {
        boolean cold = shape.endsWith("c");
        String sizes = cold ? shape.substring(0, shape.length() - 1) : shape;
        Operands o = operands(sizes, cold ? COLD_BYTES : 1);
        List<FloatPointer> x = pointers(List.of(o.x));
        List<FloatPointer> w = pointers(o.w);
        List<FloatPointer> out = pointers(List.of(o.out));
        int[] next = new int[2];
        Runnable ours = () -> ours(o, next[0]++ % o.w.size());
        Runnable theirs = () -> theirs(o, x.get(0), w.get(next[1]++ % w.size()), out.get(0));
        for (int i = 0; i < 3; i++) {
            ours.run();
            theirs.run();
        }
        int repeats = (int) Math.max(1, ROUND_SECONDS / Math.min(seconds(ours, 2), seconds(theirs, 2)));
        DescriptiveStatistics ratios = new DescriptiveStatistics();
        DescriptiveStatistics times = new DescriptiveStatistics();
        for (int i = 0; i < rounds; i++) {
            double our = seconds(ours, repeats);
            double their = seconds(theirs, repeats);
            ratios.addValue(their / our);
            times.addValue(our);
        }
        close(o);
        return new Ratio(
                shape,
                2e-9 * o.t * o.n * o.k / times.getPercentile(50),
                ratios.getPercentile(50),
                (ratios.getPercentile(75) - ratios.getPercentile(25)) / 2);
    }

    private static double seconds(Runnable run, int repeats) {
        long start = System.nanoTime();
        for (int i = 0; i < repeats; i++) {
            run.run();
        }
        return (System.nanoTime() - start) * 1e-9 / repeats;
    }

    private void ours(Operands o, int index) {
        Tensor w = o.w.get(index);
        switch (o.layout) {
            case "nt" -> backend.linearForward(o.out, o.x, w, 1, false);
            case "nn" -> backend.linearBackwardInput(o.out, o.x, w, 1, false);
            default -> backend.linearBackwardWeight(o.out, o.x, w, 1, true);
        }
    }

    private static void theirs(Operands o, FloatPointer x, FloatPointer w, FloatPointer out) {
        int row = openblas.CblasRowMajor;
        int plain = openblas.CblasNoTrans;
        int turned = openblas.CblasTrans;
        switch (o.layout) {
            case "nt" -> {
                if (o.t == 1) {
                    openblas.cblas_sgemv(row, plain, o.n, o.k, 1, w, o.k, x, 1, 0, out, 1);
                } else {
                    openblas.cblas_sgemm(row, plain, turned, o.t, o.n, o.k, 1, x, o.k, w, o.k, 0, out, o.n);
                }
            }
            case "nn" -> openblas.cblas_sgemm(row, plain, plain, o.t, o.k, o.n, 1, x, o.n, w, o.k, 0, out, o.k);
            default -> openblas.cblas_sgemm(row, turned, plain, o.n, o.k, o.t, 1, x, o.n, w, o.k, 1, out, o.k);
        }
    }

    private Operands operands(String shape, long atLeastBytes) {
        String layout = shape.substring(0, 2);
        int[] sizes = Arrays.stream(shape.substring(2).split("x"))
                .mapToInt(Integer::parseInt)
                .toArray();
        int t = sizes[0];
        int n = sizes[1];
        int k = sizes[2];
        List<Buffer> buffers = new ArrayList<>();
        long[] xShape = layout.equals("nt") ? new long[] {t, k} : new long[] {t, n};
        long[] wShape = layout.equals("tn") ? new long[] {t, k} : new long[] {n, k};
        long[] outShape =
                layout.equals("nt") ? new long[] {t, n} : layout.equals("nn") ? new long[] {t, k} : new long[] {n, k};
        List<Tensor> weights = new ArrayList<>();
        long bytes = 4 * Tensor.product(wShape);
        weights.add(tensor(buffers, wShape));
        while (weights.size() * bytes < atLeastBytes) {
            Buffer buffer = backend.allocate(bytes);
            buffers.add(buffer);
            Tensor copy = new Tensor("w", buffer, 0, DType.F32, wShape);
            copy.segment().copyFrom(weights.get(0).segment());
            weights.add(copy);
        }
        return new Operands(layout, t, n, k, tensor(buffers, xShape), weights, tensor(buffers, outShape), buffers);
    }

    private Tensor tensor(List<Buffer> buffers, long... shape) {
        Buffer buffer = backend.allocate(4 * Tensor.product(shape));
        buffers.add(buffer);
        Tensor tensor = new Tensor("input", buffer, 0, DType.F32, shape);
        double[] values = random.doubles(tensor.size(), -1, 1).toArray();
        backend.write(tensor, values, values.length);
        return tensor;
    }

    /** OpenBLAS reads and writes the same memory as we do. */
    private static List<FloatPointer> pointers(List<Tensor> tensors) {
        return tensors.stream()
                .map(t -> new FloatPointer(new FloatPointer(t.segment()
                        .asByteBuffer()
                        .order(ByteOrder.nativeOrder())
                        .asFloatBuffer())))
                .toList();
    }

    private static void close(Operands operands) {
        operands.buffers.forEach(Buffer::close);
    }
}
