package org.calm4j.calm.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.commons.math3.stat.descriptive.DescriptiveStatistics;
import org.calm4j.engine.op.Backend;

/**
 * Measures the workloads of {@code calm bench}: each is warmed up, then repeated for some seconds. Before each run of a
 * workload the machine's own limits are measured, so that shares refer to the limits at that time.
 *
 * @param model a known shape or a model folder, see {@link Models}
 * @param seconds to measure each workload for, after half as long of warming up
 * @param byOperation whether to report the time of each operation
 */
public record Bench(
        Backend backend, int threads, String model, List<String> names, double seconds, boolean byOperation) {
    private static final int LEAST_RUNS = 5;

    /** All that {@code calm bench} can measure. */
    public static List<String> all() {
        return Workloads.names();
    }

    /** @param done receives each result as soon as it is there */
    public List<Measurement> run(Consumer<Measurement> done) {
        List<Measurement> results = new ArrayList<>();
        Backend measured = byOperation ? OperationTimes.counting(backend) : backend;
        OperationTimes operations = byOperation ? OperationTimes.of(measured) : null;
        try (Peaks peaks = new Peaks(threads);
                Workloads workloads = new Workloads(measured, model)) {
            // The first ones are slow: nothing is compiled yet.
            for (int i = 0; i < LEAST_RUNS; i++) {
                peaks.flops();
                peaks.readBandwidth();
            }
            for (String name : names) {
                workloads.named(name).forEachOrdered(workload -> {
                    Measurement result = measure(workload, peaks, operations);
                    results.add(result);
                    done.accept(result);
                });
            }
        }
        return results;
    }

    private Measurement measure(Workload workload, Peaks peaks, OperationTimes operations) {
        repeat(workload, seconds / 2, 1);
        double flops = 0;
        double bandwidth = 0;
        for (int i = 0; i < LEAST_RUNS; i++) {
            flops = Math.max(flops, peaks.flops());
            bandwidth = Math.max(bandwidth, peaks.readBandwidth());
        }
        if (operations != null) {
            operations.clear();
        }
        DescriptiveStatistics times = repeat(workload, seconds, LEAST_RUNS);
        double median = times.getPercentile(50);
        double rate = workload.amount() / median;
        double spread = rate * (times.getPercentile(75) - times.getPercentile(25)) / (2 * median);
        return new Measurement(
                workload.name(),
                workload.params(),
                threads,
                (int) times.getN(),
                rate,
                spread,
                workload.unit(),
                workload.flops() == 0 ? null : workload.flops() / median / flops,
                workload.bytes() == 0 ? null : workload.bytes() / median / bandwidth,
                workload.spared() == null ? null : gain(workload),
                operations == null ? null : operations.perRun(times.getN()));
    }

    private Measurement.Gain gain(Workload workload) {
        DescriptiveStatistics gains = new DescriptiveStatistics();
        long start = System.nanoTime();
        while (gains.getN() < LEAST_RUNS || (System.nanoTime() - start) * 1e-9 < 2 * seconds) {
            long first = System.nanoTime();
            workload.run().run();
            long second = System.nanoTime();
            workload.spared().whole().run();
            gains.addValue((double) (System.nanoTime() - second) / (second - first));
        }
        return new Measurement.Gain(
                gains.getPercentile(50),
                (gains.getPercentile(75) - gains.getPercentile(25)) / 2,
                workload.spared().byTokens(),
                workload.spared().byArithmetic());
    }

    /** Seconds of each run. */
    private static DescriptiveStatistics repeat(Workload workload, double seconds, int least) {
        DescriptiveStatistics times = new DescriptiveStatistics();
        long start = System.nanoTime();
        while (times.getN() < least || (System.nanoTime() - start) * 1e-9 < seconds) {
            long before = System.nanoTime();
            workload.run().run();
            times.addValue((System.nanoTime() - before) * 1e-9);
        }
        return times;
    }
}
