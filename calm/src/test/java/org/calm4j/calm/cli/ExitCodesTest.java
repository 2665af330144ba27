package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.util.List;
import org.calm4j.calm.experiment.ModelOnDisk;
import org.calm4j.kernels.driver.CudaProbe;
import org.junit.jupiter.api.Test;

/** Exit codes 1 and 3: where it is and what to do, and nothing of the user's is overwritten. */
final class ExitCodesTest extends CommandLineFixture {
    @Test
    void badInputIsThreeAndSaysWhere() throws IOException {
        assertThat(calm("vote", "--samples", path("missing.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("missing.jsonl: no such file");
        file("broken.jsonl", "", "{\"id\":");
        assertThat(calm("vote", "--samples", path("broken.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("broken.jsonl:2");
        file(
                "label.jsonl",
                "{\"id\":1,\"language\":\"en\",\"question\":\"?\",\"choices\":[{\"label\":\"A\",\"text\":\"x\"},{\"label\":\"B\",\"text\":\"y\"}],"
                        + "\"responses\":[{\"text\":\"?\",\"answer\":\"Z\"}]}");
        assertThat(calm("vote", "--samples", path("label.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("label.jsonl:1").contains("Z");
        assertThat(folder.resolve("v")).doesNotExist();
        assertThat(calm("score", "--model", path("none"), "--input", path("en.jsonl"), "--output", path("s")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("no such model folder");
    }

    @Test
    void aLackOfThreadsIsNoLackOfHeap() {
        Failures failures = new Failures();
        String threads = "unable to create native thread: possibly out of memory or process/resource limits reached";
        assertThat(failures.outOfMemory(new PrintWriter(err, true), new OutOfMemoryError(threads)))
                .isEqualTo(1);
        assertThat(err.toString()).contains("--threads").doesNotContain("Xmx");
        assertThat(failures.outOfMemory(new PrintWriter(err, true), new OutOfMemoryError("Java heap space")))
                .isEqualTo(1);
        assertThat(err.toString()).contains("Xmx");
    }

    @Test
    void anInputIsNeverOverwritten() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        String samples = Files.readString(folder.resolve("en.jsonl"));
        Files.createSymbolicLink(folder.resolve("link"), folder.resolve("en.jsonl"));
        String same = path("../" + folder.getFileName() + "/en.jsonl");
        assertThat(calm("vote", "--samples", path("fr.jsonl"), path("en.jsonl"), "--output", same))
                .isEqualTo(2);
        assertThat(err.toString().lines())
                .hasSize(1)
                .first()
                .asString()
                .contains("en.jsonl is an input and would be overwritten");
        assertThat(calm("vote", "--samples", path("link"), "--output", path("v"), "--summary", path("en.jsonl")))
                .isEqualTo(2);
        assertThat(calm(
                        "pairs",
                        "--samples",
                        path("en.jsonl"),
                        "--votes",
                        path("fr.jsonl"),
                        "--output",
                        path("fr.jsonl")))
                .isEqualTo(2);
        assertThat(calm("import", path("en.jsonl"), "--language", "en", "--output", path("link")))
                .isEqualTo(2);
        assertThat(calm("score", "--model", path("model"), "--input", path("en.jsonl"), "--output", path("en.jsonl")))
                .isEqualTo(2);
        assertThat(calm(
                        "generate",
                        "--model",
                        path("model"),
                        "--input",
                        path("en.jsonl"),
                        "--output",
                        path("en.jsonl")))
                .isEqualTo(2);
        assertThat(calm("sample", "--model", path("model"), "--data", path("en.jsonl"), "--output", path("en.jsonl")))
                .isEqualTo(2);
        assertThat(calm(
                        "tokenize",
                        "--model",
                        path("model"),
                        "--input",
                        path("en.jsonl"),
                        "--output",
                        path("en.jsonl")))
                .isEqualTo(2);
        assertThat(folder.resolve("en.jsonl")).hasContent(samples);
        assertThat(calm("vote", "--samples", path("en.jsonl"), "--output", path("v"), "--summary", path("./v")))
                .isEqualTo(2);
        assertThat(err.toString()).contains("would be written twice");
        file("documents.jsonl", "{\"input_ids\":[3,4]}");
        assertThat(calm("sft", "--model", path("model"), "--data", path("documents.jsonl"), "--output", path("model")))
                .isEqualTo(2);
        // A folder's files, too: what is compared with would be gone.
        file("p.jsonl", "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"A\"}");
        file("predictions.jsonl", "{\"id\":1,\"language\":\"en\",\"answer\":\"A\",\"prediction\":\"B\"}");
        assertThat(calm(
                        "evaluate",
                        "--predictions",
                        path("p.jsonl"),
                        "--against",
                        path("predictions.jsonl"),
                        "--output",
                        folder.toString()))
                .isEqualTo(2);
        assertThat(folder.resolve("predictions.jsonl")).content().contains("\"B\"");
    }

    @Test
    void anEmptyFileIsBadInput() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("empty.jsonl");
        file("kept", "kept");
        for (String command : List.of("score", "generate")) {
            assertThat(calm(
                            command,
                            "--model",
                            path("model"),
                            "--input",
                            path("empty.jsonl"),
                            "--output",
                            path("kept")))
                    .isEqualTo(3);
            assertThat(err.toString()).contains("empty.jsonl: has no lines");
        }
        assertThat(calm("sample", "--model", path("model"), "--data", path("empty.jsonl"), "--output", path("kept")))
                .isEqualTo(3);
        assertThat(calm("vote", "--extract-only", "--samples", path("empty.jsonl"), "--output", path("kept")))
                .isEqualTo(3);
        assertThat(calm(
                        "pairs",
                        "--samples",
                        path("empty.jsonl"),
                        "--votes",
                        path("empty.jsonl"),
                        "--output",
                        path("kept")))
                .isEqualTo(3);
        assertThat(calm("evaluate", "--predictions", path("empty.jsonl"), "--output", path("eval")))
                .isEqualTo(3);
        assertThat(folder.resolve("kept")).hasContent("kept");
        assertThat(folder.resolve("eval")).doesNotExist();
    }

    @Test
    void aPlaceThatCannotBeWrittenToIsBadInput() throws IOException {
        file("plain", "a file");
        assertThat(calm("vote", "--samples", path("en.jsonl"), "--output", path("plain/votes.jsonl")))
                .isEqualTo(3);
        assertThat(err.toString().lines()).hasSizeLessThanOrEqualTo(3);
        assertThat(err.toString()).contains("plain");
    }

    @Test
    void resultsThatCannotBeWrittenAreAFailure() {
        PrintStream before = System.out;
        try {
            assertThat(Calm.run(failing("No space left on device"), new PrintWriter(err, true), "completion"))
                    .isEqualTo(1);
            assertThat(err.toString().lines())
                    .hasSize(1)
                    .first()
                    .asString()
                    .contains("standard output", "No space left");
            // Its reader went away: what it wanted it has.
            err.getBuffer().setLength(0);
            assertThat(Calm.run(failing("Broken pipe"), new PrintWriter(err, true), "completion"))
                    .isZero();
            assertThat(err.toString()).isEmpty();
        } finally {
            System.setOut(before);
        }
    }

    private static OutputStream failing(String why) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(why);
            }
        };
    }

    @Test
    void aStackTraceOnlyWithDebug() {
        assertThat(calm("vote", "--samples", path("missing.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).doesNotContain("\tat ");
        assertThat(calm("vote", "--debug", "--samples", path("missing.jsonl"), "--output", path("v")))
                .isEqualTo(3);
        assertThat(err.toString()).contains("\tat ");
    }

    @Test
    void aDeviceThatIsNotThereIsAnErrorAndNoOtherDevice() throws IOException {
        ModelOnDisk.write(folder.resolve("model"));
        file("in.jsonl", "{\"id\":1,\"input_ids\":[3,4],\"completion_start\":1}");
        int code = calm(
                "score",
                "--model",
                path("model"),
                "--input",
                path("in.jsonl"),
                "--output",
                path("s"),
                "--device",
                "cuda:97");
        assertThat(code).isEqualTo(1);
        assertThat(err.toString()).contains("--device cpu");
        assertThat(folder.resolve("s")).doesNotExist();
    }

    @Test
    void withoutADriverOneLineSaysWhatIsMissing() throws IOException {
        assumeFalse(CudaProbe.run().usable(), "this machine has a GPU");
        ModelOnDisk.write(folder.resolve("model"));
        file("in.jsonl", "{\"id\":1,\"input_ids\":[3,4],\"completion_start\":1}");
        int code = calm(
                "score",
                "--model",
                path("model"),
                "--input",
                path("in.jsonl"),
                "--output",
                path("s"),
                "--device",
                "cuda");
        assertThat(code).isEqualTo(1);
        assertThat(err.toString().lines())
                .hasSize(1)
                .first()
                .asString()
                .contains("--device cuda:", "--device cpu runs without");
    }
}
