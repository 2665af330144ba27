package org.calm4j.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.util.Collection;
import java.util.Locale;
import java.util.StringJoiner;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/** Runs JMH with its own command line and appends a row for each result to {@code history/YEAR.csv} of the folder given by {@code -Dhistory=}. */
public final class Benchmarks {
    private static final String HEADER = "date,commit,cpu,jvm,benchmark,params,score,error,unit";

    private Benchmarks() {
    }

    public static void main(String[] arguments) throws CommandLineOptionException, RunnerException, IOException {
        CommandLineOptions given = new CommandLineOptions(arguments);
        if (given.shouldHelp()) {
            given.showHelp();
            return;
        }
        if (System.getenv("OPENBLAS_CORETYPE") != null) {
            System.err.println("OPENBLAS_CORETYPE is set, which makes OpenBLAS run as on another processor; unset it for a fair comparison");
        }
        OptionsBuilder options = new OptionsBuilder();
        options.parent(given).jvmArgsAppend("--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED");
        Collection<RunResult> results = new Runner(options.build()).run();
        String folder = System.getProperty("history");
        if (folder != null) {
            append(Path.of(folder), results);
        }
    }

    private static void append(Path folder, Collection<RunResult> results) throws IOException {
        Files.createDirectories(folder);
        Path file = folder.resolve(LocalDate.now().getYear() + ".csv");
        StringBuilder rows = new StringBuilder(Files.exists(file) ? "" : HEADER + "\n");
        String machine = LocalDate.now() + "," + commit() + "," + cpu() + "," + Runtime.version();
        for (RunResult result : results) {
            StringJoiner params = new StringJoiner(" ");
            result.getParams().getParamsKeys().forEach(key -> params.add(key + "=" + result.getParams().getParam(key)));
            String name = result.getParams().getBenchmark().replace("org.calm4j.benchmarks.", "");
            rows.append(String.format(Locale.ROOT, "%s,%s,%s,%.3f,%.3f,%s%n", machine, name, params, result.getPrimaryResult().getScore(),
                    result.getPrimaryResult().getScoreError(), result.getPrimaryResult().getScoreUnit()));
        }
        Files.writeString(file, rows, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private static String commit() throws IOException {
        Process git = new ProcessBuilder("git", "rev-parse", "--short", "HEAD").redirectErrorStream(true).start();
        try (BufferedReader out = new BufferedReader(new InputStreamReader(git.getInputStream(), StandardCharsets.UTF_8))) {
            String line = out.readLine();
            return line == null || !line.matches("[0-9a-f]{7,40}") ? "unknown" : line;
        }
    }

    private static String cpu() throws IOException {
        Path info = Path.of("/proc/cpuinfo");
        if (!Files.exists(info)) {
            return System.getProperty("os.arch");
        }
        try (var lines = Files.lines(info)) {
            return lines.filter(line -> line.startsWith("model name")).findFirst().map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .orElse(System.getProperty("os.arch")).replace(',', ' ');
        }
    }
}
