package org.calm4j.calm.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.OutputLock;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** The live page in a real browser, while what it shows goes on. */
@Tag("slow")
class WatchInBrowserTest {
    // The browser's helper processes may still write into its profile when it ends.
    @TempDir(cleanup = CleanupMode.NEVER)
    private Path folder;

    private int step;

    private void steps(Path run, int count) throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < count; i++) {
            step++;
            rows.append("{\"step\":" + step + ",\"loss\":" + 1.0 / step
                    + ",\"grad_norm\":\"NaN\",\"tokens_per_second\":1234567,\"num_tokens\":" + 10 * step
                    + ",\"rewards/chosen\":" + step + ",\"rewards/rejected\":-1,\"entropy\":0.5}\n");
        }
        Files.writeString(run.resolve("metrics.jsonl"), rows, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    @Test
    void curvesGrowAndNothingThatIsReadRuns() throws Exception {
        assumeTrue(Browser.program() != null, "skipped: no chromium on the PATH; install it to check the live page");
        Path output = Files.createDirectories(folder.resolve("output"));
        Path run = Files.createDirectories(output.resolve("calm<b>"));
        Files.writeString(run.resolve("train_config.json"), "{\"command\":\"dpo\",\"steps\":500}");
        String evil = "<img src=x onerror='document.title=1'><script>document.title=2</script>";
        Files.writeString(
                output.resolve("samples.jsonl"),
                "{\"id\":\"1\",\"language\":\"ja\",\"question\":\"" + evil
                        + "\",\"choices\":[{\"label\":\"A\",\"text\":\"日本\"}],\"responses\":[{\"text\":\"" + evil
                        + "\",\"answer\":\"A\"}]}\n{\"id\":\"2\",\"language\":\"en\",\"question\":\"where\",\"responses\":[]}\n");
        Files.writeString(
                run.resolve("generations.jsonl"),
                "{\"step\":0,\"prompt\":\"p\",\"completion\":\"early\"}\n{\"step\":5,\"prompt\":\"p\",\"completion\":\"late\"}\n");
        steps(run, 30);
        WatchServer server = WatchServer.ofRun(output, 0, Setting.of("watch"));
        Progress progress = server.progress(Progress.NONE);
        progress.start("dpo", 500);
        try (OutputLock _ = OutputLock.folder(output, line -> {});
                Browser browser = Browser.open(folder, 1280, 1600)) {
            browser.go(server.address());
            browser.until("document.querySelector('#status').textContent === 'running'");
            browser.until("document.querySelectorAll('#curves figure:not([hidden]) svg').length >= 3");
            String curve = "document.querySelector('#curves figure svg').innerHTML";
            String first = browser.js(curve).asText();
            for (int i = 0; i < 3; i++) {
                String old = browser.js(curve).asText();
                steps(run, 20);
                progress.at(step, "loss 0.1");
                browser.until(curve + " !== " + org.calm4j.engine.io.Json.compact(old));
            }
            assertThat(browser.js("document.querySelector('#curves figcaption').textContent")
                            .asText())
                    .contains("at step 90");
            browser.until("document.querySelector('#task-bar').value === 90");
            assertThat(first).isNotEmpty();

            // Samples, by language and text, with the keyboard's order and without markup of theirs.
            browser.until("document.querySelectorAll('#lines .card').length === 2");
            assertThat(browser.js("document.querySelectorAll('main img, main script').length")
                            .asInt())
                    .isZero();
            assertThat(browser.js("document.title").asText()).isEqualTo("output · calm watch");
            browser.js("document.querySelector('#lines [name=language]').focus()");
            browser.key("Tab");
            assertThat(browser.js("document.activeElement.name").asText()).isEqualTo("text");
            browser.js("document.activeElement.value = '日本';"
                    + "document.activeElement.dispatchEvent(new Event('input', {bubbles: true}))");
            browser.until("document.querySelectorAll('#lines .card').length === 1");
            browser.until("document.querySelector('#generations td:last-child').textContent === 'late'");

            for (boolean dark : List.of(false, true)) {
                browser.dark(dark);
                for (int width : List.of(375, 1280)) {
                    browser.size(width, 900);
                    assertThat(browser.js("document.documentElement.scrollWidth")
                                    .asInt())
                            .isLessThanOrEqualTo(width);
                    // Charts are drawn anew a moment later.
                    browser.until("[...document.querySelectorAll('#curves .chart')].every(chart => !chart.clientWidth"
                            + " || Number(chart.querySelector('svg').getAttribute('width')) === chart.clientWidth)");
                }
            }
            Files.writeString(output.resolve("report.html"), "<p>report</p><script>parent.document.title = 3</script>");
            server.close();
            browser.until("document.querySelector('#status').textContent === 'ended'");
            assertThat(browser.js("document.querySelector('#reports iframe').src")
                            .asText())
                    .contains("report?file=report.html");
            assertThat(browser.js("document.title").asText()).isEqualTo("output · calm watch");
            // The report above tried to reach the page, and must have been refused.
            assertThat(browser.errors).allMatch(error -> error.contains("Blocked a frame"));
        } finally {
            server.close();
        }
    }
}
