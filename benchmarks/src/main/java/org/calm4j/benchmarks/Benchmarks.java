package org.calm4j.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.StringJoiner;
import org.calm4j.calm.bench.History;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/** Runs JMH with its own command line and appends a row for each result to {@code history/YEAR.csv} of the folder given by {@code -Dhistory=}. */
public final class Benchmarks {
    private Benchmarks() {}

    public static void main(String[] arguments) throws CommandLineOptionException, RunnerException, IOException {
        CommandLineOptions given = new CommandLineOptions(arguments);
        if (given.shouldHelp()) {
            given.showHelp();
            return;
        }
        if (System.getenv("OPENBLAS_CORETYPE") != null) {
            System.err.println(
                    "OPENBLAS_CORETYPE is set, which makes OpenBLAS run as on another processor; unset it for a fair comparison");
        }
        OptionsBuilder options = new OptionsBuilder();
        options.parent(given)
                .jvmArgsAppend("--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED");
        Collection<RunResult> results = new Runner(options.build()).run();
        String folder = System.getProperty("history");
        if (folder != null) {
            History.append(
                    Path.of(folder), results.stream().map(Benchmarks::row).toList());
        }
    }

    private static History.Row row(RunResult result) {
        StringJoiner params = new StringJoiner(" ");
        result.getParams()
                .getParamsKeys()
                .forEach(key -> params.add(key + "=" + result.getParams().getParam(key)));
        return new History.Row(
                result.getParams().getBenchmark().replace("org.calm4j.benchmarks.", ""),
                params.toString(),
                result.getPrimaryResult().getScore(),
                result.getPrimaryResult().getScoreError(),
                result.getPrimaryResult().getScoreUnit());
    }
}
