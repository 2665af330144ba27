package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import org.calm4j.calm.bench.Bench;
import org.calm4j.calm.bench.History;
import org.calm4j.calm.bench.Measurement;
import org.calm4j.calm.bench.Models;
import org.calm4j.calm.bench.RanksBench;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.DeviceLinks;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm bench}. */
@Command(
        name = "bench",
        sortOptions = false,
        description = {
            "Measures speed: of products, training and DPO steps, decoding, sampling and tokenizing.",
            "Under mpirun or srun, ranks measures what passes between the processes, or between the GPUs that they have.",
            "Peak and bandwidth are shares of what this machine reaches in the same run."
        },
        footer = {
            "",
            "Example: calm bench train-step decode --model llama-110m --threads 1",
            "Example: mpirun -n 4 calm bench ranks"
        })
final class BenchCommand extends CalmCommand {
    private static final int MOST_OPERATIONS = 12;
    private static final String RANKS = "ranks";
    /** What is summed: the gradients of an adapter of rank 16 on 2 billion weights. */
    private static final long SUMMED = 64 << 20;

    /** For the shell's completion. */
    static final class Names implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return List.of("products", "train-step", "dpo-step", "decode", "sample", "tokenize", RANKS)
                    .iterator();
        }
    }

    @Parameters(
            paramLabel = "WHAT",
            arity = "0..*",
            completionCandidates = Names.class,
            description = "products, train-step, dpo-step, decode, sample, tokenize (default: all), or ranks.")
    private List<String> names = List.of();

    @Option(
            names = "--model",
            paramLabel = "SHAPE|DIR",
            defaultValue = "demo",
            description =
                    "A known shape, or a model folder for its shape; weights are random (default: ${DEFAULT-VALUE}).")
    private String model;

    @Option(
            names = "--seconds",
            paramLabel = "X",
            defaultValue = "3",
            converter = NumberConverters.AboveZero.class,
            description = "Seconds for each figure, after half as long for warming up (default: ${DEFAULT-VALUE}).")
    private double seconds;

    @Option(
            names = "--history",
            paramLabel = "DIR",
            description = "Append a row for each figure to YEAR.csv in this folder, such as benchmarks/history.")
    private Path history;

    @Option(
            names = "--operations",
            description = "Show under each figure how the time is divided among the backend's operations (CPU only).")
    private boolean operations;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    boolean isShared() {
        return names.equals(List.of(RANKS));
    }

    private void runRanks() {
        try (Backend backend = device.open(this)) {
            String passed = ranks().size() > 1 && backend instanceof DeviceLinks links
                    ? ", and pass by " + links.link(ranks()).description()
                    : "";
            say("calm: " + ranks().size() + " ranks, " + ranks().localSize() + " on this machine; " + (SUMMED >> 20)
                    + " MiB are summed" + passed);
            List<RanksBench.Figure> figures = new RanksBench(ranks(), backend, SUMMED, this::print).run();
            if (isJson()) {
                result(figures, "");
            }
        }
    }

    private void print(RanksBench.Figure found) {
        if (!isJson()) {
            Double speed = found.gigabytesPerSecond();
            out().printf(
                            Locale.ROOT,
                            "%-30s %12.4f ms %s%n",
                            found.name(),
                            found.milliseconds(),
                            speed == null ? "" : String.format(Locale.ROOT, "%8.2f GB/s", speed));
            out().flush();
        }
    }

    @Override
    void run() {
        if (isShared()) {
            runRanks();
            return;
        }
        for (String name : names) {
            if (!Bench.all().contains(name)) {
                throw CalmException.usage(
                        "unknown workload \"" + name + "\"; known: " + String.join(", ", Bench.all()));
            }
        }
        // A wrong name is reported before anything is opened or printed.
        Models.config(model);
        try (Backend backend = device.open(this)) {
            if (operations && !backend.onHost()) {
                throw CalmException.usage("--operations times calls, which does not measure a GPU; use --device cpu");
            }
            if (!isJson()) {
                out().printf(
                                Locale.ROOT,
                                "%-11s %-26s %8s %14s %8s %7s %10s%n",
                                "",
                                "",
                                "runs",
                                "median",
                                "±",
                                "peak",
                                "bandwidth");
            }
            List<Measurement> results = new Bench(
                            backend,
                            device.threads(),
                            model,
                            names.isEmpty() ? Bench.all() : names,
                            seconds,
                            operations)
                    .run(this::print);
            if (isJson()) {
                result(results, "");
            }
            if (history != null) {
                History.append(
                        history,
                        results.stream().flatMap(found -> rows(found).stream()).toList());
            }
        }
    }

    private void print(Measurement found) {
        if (!isJson()) {
            out().printf(
                            Locale.ROOT,
                            "%-11s %-26s %8d %8.4g %s/s %8.2g %7s %10s%n",
                            found.benchmark(),
                            found.params(),
                            found.runs(),
                            found.perSecond(),
                            found.unit(),
                            found.spread(),
                            share(found.peakShare()),
                            share(found.bandwidthShare()));
            if (found.gain() != null) {
                out().printf(
                                Locale.ROOT,
                                "    %.2f ± %.2f times as fast as with the prompt each time; %.2f by the tokens, %.2f by the arithmetic%n",
                                found.gain().times(),
                                found.gain().spread(),
                                found.gain().byTokens(),
                                found.gain().byArithmetic());
            }
            if (found.operations() != null) {
                double all = found.operations().stream()
                        .mapToDouble(Measurement.Operation::milliseconds)
                        .sum();
                found.operations().stream().limit(MOST_OPERATIONS).forEach(operation -> out().printf(
                                Locale.ROOT,
                                "    %-24s %10.3f ms %4.0f %% %8d calls%n",
                                operation.name(),
                                operation.milliseconds(),
                                100 * operation.milliseconds() / all,
                                operation.calls()));
            }
            out().flush();
        }
    }

    private static String share(Double share) {
        return share == null ? "" : String.format(Locale.ROOT, "%.0f %%", 100 * share);
    }

    private List<History.Row> rows(Measurement found) {
        String params = "model=" + model + " threads=" + found.threads() + " " + found.params();
        var speed = new History.Row(found.benchmark(), params, found.perSecond(), found.spread(), found.unit() + "/s");
        if (found.gain() == null) {
            return List.of(speed);
        }
        Measurement.Gain gain = found.gain();
        String limits =
                String.format(Locale.ROOT, " byTokens=%.2f byArithmetic=%.2f", gain.byTokens(), gain.byArithmetic());
        return List.of(
                speed,
                new History.Row(found.benchmark() + "/sharing", params + limits, gain.times(), gain.spread(), "ratio"));
    }
}
