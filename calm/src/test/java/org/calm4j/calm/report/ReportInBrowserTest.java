package org.calm4j.calm.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** The page in a real browser: its script runs without an error and every chart has a drawing with marks in it. */
@Tag("slow")
class ReportInBrowserTest {
    private record Rendered(String dom, String console) {}

    private static final Pattern MARK =
            Pattern.compile("(fill|stroke)=\"(#0b7a6f|#3fcab9|rgb\\((11,122,111|63,202,185)\\))");

    // The browser's helper processes may still write into its profile when it ends.
    @TempDir(cleanup = CleanupMode.NEVER)
    Path folder;

    @Test
    void drawsEveryChartWithoutAnError() throws Exception {
        Rendered page = render(Report.write(SampleExperiment.data(), folder));
        assertThat(page.console()).as("console").isEmpty();
        List<String> charts = charts(page.dom());
        assertThat(charts).hasSize(4 + 2 + 3 + 3 + 2 + 6);
        // A chart without data still has its axes and legend: what is counted are bars, points and curves in the colour
        // of a series.
        assertThat(charts)
                .allSatisfy(chart -> assertThat(MARK.matcher(chart).results().count())
                        .as(chart.substring(0, 200))
                        .isGreaterThan(chart.contains("data-chart=") ? 6 : 0));
    }

    @Test
    void doesWithTheLeast() throws Exception {
        Rendered page = render(Report.write(ReportTest.minimal("title", "en", "system"), folder));
        assertThat(page.console()).isEmpty();
        assertThat(charts(page.dom())).hasSize(1);
    }

    private Rendered render(Path page) throws Exception {
        String chromium = Stream.of("chromium", "chromium-browser", "google-chrome")
                .map(ReportInBrowserTest::onPath)
                .filter(each -> each != null)
                .findFirst()
                .orElse(null);
        assumeTrue(chromium != null, "skipped: no chromium on the PATH; install it to check the report's charts");
        Path dom = folder.resolve("dom.html");
        Path log = folder.resolve("log.txt");
        Process process = new ProcessBuilder(
                        chromium,
                        "--headless=new",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--enable-logging=stderr",
                        "--virtual-time-budget=5000",
                        "--user-data-dir=" + folder.resolve("profile"),
                        "--window-size=1280,2000",
                        "--dump-dom",
                        page.toUri().toString())
                .redirectOutput(dom.toFile())
                .redirectError(log.toFile())
                .start();
        boolean ended = process.waitFor(60, TimeUnit.SECONDS);
        if (!ended) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
        }
        assertThat(ended).as("the browser ends within 60 s").isTrue();
        String console = Files.readAllLines(log).stream()
                .filter(line -> line.contains(":CONSOLE"))
                .reduce("", String::concat);
        String rendered = Files.readString(dom);
        assertThat(rendered)
                .as("the browser's page; its log: %s", Files.readString(log))
                .contains("</html>");
        return new Rendered(rendered, console);
    }

    private static String onPath(String name) {
        return Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .map(each -> Path.of(each, name))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst()
                .orElse(null);
    }

    private static List<String> charts(String dom) {
        Matcher matcher = Pattern.compile("<div class=\"chart\".*?</figure>", Pattern.DOTALL)
                .matcher(dom);
        return matcher.results().map(found -> found.group()).toList();
    }
}
