package org.calm4j.calm.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.AtomicFile;

/** What was measured, row by row in {@code YEAR.csv} of a folder: rows are only ever added. */
public final class History {
    private static final String HEADER = "date,commit,cpu,jvm,benchmark,params,score,error,unit";

    /**
     * One figure.
     *
     * @param params as {@code name=value}, separated by blanks
     * @param error of the score, as the benchmark defines it, in the same unit
     */
    public record Row(String benchmark, String params, double score, double error, String unit) {}

    private History() {}

    /** Adds rows, with today, the commit of the folder's checkout, this machine and this JVM. */
    public static void append(Path folder, List<Row> rows) {
        AtomicFile.directories(folder);
        Path file = folder.resolve(LocalDate.now().getYear() + ".csv");
        StringBuilder text = new StringBuilder(Files.exists(file) ? "" : HEADER + "\n");
        String machine = LocalDate.now() + "," + commit(folder) + "," + cpu() + "," + Runtime.version();
        for (Row row : rows) {
            text.append(String.format(
                    Locale.ROOT,
                    "%s,%s,%s,%.4g,%.2g,%s%n",
                    machine,
                    row.benchmark(),
                    row.params().replace(',', ' '),
                    row.score(),
                    row.error(),
                    row.unit()));
        }
        try {
            Files.writeString(file, text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw CalmException.badInput(file, "cannot be written: " + e.getMessage(), e);
        }
    }

    private static String commit(Path folder) {
        try {
            Process git = new ProcessBuilder("git", "-C", folder.toString(), "rev-parse", "--short", "HEAD")
                    .redirectErrorStream(true)
                    .start();
            try (BufferedReader out =
                    new BufferedReader(new InputStreamReader(git.getInputStream(), StandardCharsets.UTF_8))) {
                String line = out.readLine();
                return line == null || !line.matches("[0-9a-f]{7,40}") ? "unknown" : line;
            }
        } catch (IOException e) {
            // Without git the row states that.
            return "unknown";
        }
    }

    private static String cpu() {
        Path info = Path.of("/proc/cpuinfo");
        try (var lines = Files.lines(info)) {
            return lines.filter(line -> line.startsWith("model name"))
                    .findFirst()
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .orElse(System.getProperty("os.arch"))
                    .replace(',', ' ');
        } catch (IOException e) {
            // Other systems have no such file.
            return System.getProperty("os.arch");
        }
    }
}
