package org.calm4j.calm.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.calm4j.calm.run.PartialLines;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.OutputFolder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StageLedgerTest {
    @TempDir
    Path folder;

    private final List<String> ran = new ArrayList<>();
    private OutputFolder output;

    @BeforeEach
    void input() throws IOException {
        Files.writeString(folder.resolve("in"), "in");
        output = OutputFolder.open(folder, said -> {});
    }

    @AfterEach
    void close() {
        output.close();
    }

    private Stage stage(String name, Object settings, String input, String output) {
        return new Stage(name, settings, List.of(folder.resolve(input)), folder.resolve(output), resume -> {
            ran.add(name + (resume ? " resumed" : ""));
            AtomicFile.write(
                    folder.resolve(output),
                    out -> out.write((Files.readString(folder.resolve(input)) + "," + settings).getBytes()));
        });
    }

    private List<Stage> stages(double temperature, int k) {
        return List.of(
                stage("one", Map.of("sample", Map.of("temperature", temperature)), "in", "middle"),
                stage("two", k, "middle", "out"));
    }

    private StageLedger ledger() {
        return ledger("cpu");
    }

    private StageLedger ledger(String device) {
        return new StageLedger(folder, output, Progress.NONE, device);
    }

    /** Not the one that finds all done, and both where a stage was stopped on one and went on on another. */
    @Test
    void tellsWhichDeviceComputed() {
        ledger("cpu: 1 thread").run(stages(1, 1));
        StageLedger again = ledger("cpu: 2 threads");
        again.run(stages(1, 1));
        assertThat(again.devices()).isEqualTo("cpu: 1 thread");
        StageLedger other = ledger("cuda:0");
        other.run(stages(1, 2));
        assertThat(other.devices()).isEqualTo("cpu: 1 thread; cuda:0");
        Stage broken = new Stage("one", 1, List.of(folder.resolve("in")), folder.resolve("middle"), resume -> {
            throw new IllegalStateException("stopped");
        });
        assertThatThrownBy(() -> ledger("cpu: 1 thread").run(List.of(broken))).hasMessage("stopped");
        StageLedger resumed = ledger("cuda:0");
        resumed.run(List.of(stage("one", 1, "in", "middle")));
        assertThat(resumed.devices()).isEqualTo("cpu: 1 thread; cuda:0");
    }

    @Test
    void whatIsDoneIsNotDoneAgainAndThePlanSaysWhy() throws IOException {
        assertThat(ledger().plan(stages(1, 1)))
                .extracting(StageLedger.Planned::why)
                .containsExactly("has not run", "has not run");
        assertThat(folder.resolve(".stages")).doesNotExist();
        ledger().run(stages(1, 1));
        ledger().run(stages(1, 1));
        assertThat(ran).containsExactly("one", "two");
        assertThat(ledger().plan(stages(1, 1)))
                .extracting(StageLedger.Planned::why)
                .containsOnlyNulls();
        assertThat(ledger().plan(stages(0.5, 1)))
                .extracting(StageLedger.Planned::why)
                .containsExactly("settings changed: sample.temperature 1.0 → 0.5", "middle is made again");
        assertThat(ledger().plan(stages(1, 2)))
                .extracting(StageLedger.Planned::why)
                .containsExactly(null, "settings changed: 1 → 2");
        Files.delete(folder.resolve("out"));
        assertThat(ledger().plan(stages(1, 1)))
                .extracting(StageLedger.Planned::why)
                .containsExactly(null, "out is gone");
        Files.writeString(folder.resolve("in"), "other");
        assertThat(ledger().plan(stages(1, 1)))
                .extracting(StageLedger.Planned::why)
                .containsExactly("in changed", "middle is made again");
        Files.delete(folder.resolve("in"));
        assertThat(ledger().plan(stages(1, 1)).getFirst())
                .hasToString("one: cannot run, " + folder.resolve("in") + " is missing");
    }

    @Test
    void aStoppedStageGoesOnAndAChangedOneStartsAnew() throws IOException {
        Stage broken = new Stage("one", 1, List.of(folder.resolve("in")), folder.resolve("middle"), resume -> {
            throw new IllegalStateException("stopped");
        });
        assertThatThrownBy(() -> ledger().run(List.of(broken))).hasMessage("stopped");
        assertThat(ledger().plan(List.of(broken)).getFirst().why()).isEqualTo("was stopped, goes on");
        ledger().run(List.of(stage("one", 1, "in", "middle")));
        assertThat(ran).containsExactly("one resumed");
        assertThatThrownBy(() -> ledger().run(List.of(
                        new Stage("two", 2, List.of(folder.resolve("in")), folder.resolve("x"), resume -> {
                            throw new IllegalStateException("stopped");
                        }))))
                .hasMessage("stopped");
        Files.writeString(PartialLines.of(folder.resolve("x")), "{\"key\":\"old\"}\n");
        ledger().run(List.of(stage("two", 3, "in", "x")));
        assertThat(ran).containsExactly("one resumed", "two");
        assertThat(PartialLines.of(folder.resolve("x"))).doesNotExist();
    }

    private static PartialLines<JsonNode> open(Path output, String key, boolean resume) {
        return PartialLines.open(output, JsonNode.class, new PartialLines.Plan(key, 2, 5), resume, said -> {});
    }

    @Test
    void partialLinesGoOnWithThePartsThatAreMissing() throws IOException {
        Path output = folder.resolve("lines.jsonl");
        try (PartialLines<JsonNode> lines = open(output, "key", false)) {
            lines.add(2, List.of(line(5)));
            lines.add(0, List.of(line(1), line(2)));
            lines.add(1, List.of(line(3), line(4)));
        }
        // A kill may leave a part of a part, and of a line.
        String text = Files.readString(PartialLines.of(output));
        Files.writeString(PartialLines.of(output), text.substring(0, text.length() - 4));
        try (PartialLines<JsonNode> lines = open(output, "key", true)) {
            assertThat(lines.missing()).containsExactly(1);
            assertThat(lines.made()).isEqualTo(3);
            lines.add(1, List.of(line(6), line(7)));
            assertThat(output).doesNotExist();
            lines.finish();
        }
        assertThat(output).hasContent("{\"n\":1}\n{\"n\":2}\n{\"n\":6}\n{\"n\":7}\n{\"n\":5}");
        assertThat(PartialLines.of(output)).doesNotExist();
        open(output, "key", false).close();
        assertThatThrownBy(() -> open(output, "other", true))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("without resume");
        Files.writeString(PartialLines.of(output), "{\"key\":\"key\",\"size\":2,\"lines\":5}\n{\"part\":3}\n");
        assertThatThrownBy(() -> open(output, "key", true))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("is broken");
    }

    @Test
    void linesForAPipeLeaveNothingBesideIt() throws Exception {
        Path pipe = folder.resolve("pipe");
        assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0);
        try (PartialLines<JsonNode> lines = open(pipe, "key", false)) {
            lines.add(0, List.of(line(1)));
            assertThat(PartialLines.of(pipe)).doesNotExist();
            CompletableFuture<Void> finished = CompletableFuture.runAsync(lines::finish);
            assertThat(Files.readString(pipe)).isEqualTo("{\"n\":1}\n");
            finished.get(1, TimeUnit.MINUTES);
        }
        assertThatThrownBy(() -> open(pipe, "key", true))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("left nothing there to resume; give a file");
    }

    private static JsonNode line(int n) {
        return JsonNodeFactory.instance.objectNode().put("n", n);
    }
}
