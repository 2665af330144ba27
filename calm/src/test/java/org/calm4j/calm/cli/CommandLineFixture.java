package org.calm4j.calm.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A command as people and scripts give it, in a folder of its own with two files of samples. */
abstract class CommandLineFixture {
    @TempDir
    Path folder;

    final StringWriter out = new StringWriter();
    final StringWriter err = new StringWriter();

    int calm(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Calm.execute(new PrintWriter(out), new PrintWriter(err), arguments);
    }

    Path file(String name, String... lines) throws IOException {
        return Files.write(folder.resolve(name), List.of(lines));
    }

    String path(String name) {
        return folder.resolve(name).toString();
    }

    @BeforeEach
    void samples() throws IOException {
        String choices = "\"choices\":[{\"label\":\"A\",\"text\":\"east\"},{\"label\":\"B\",\"text\":\"west\"}]";
        file(
                "en.jsonl",
                "{\"id\":1,\"language\":\"en\",\"question\":\"where?\"," + choices
                        + ",\"prompt\":\"Where? east, west\",\"responses\":[{\"text\":\"Answer: A\"},{\"text\":\"the west .\"},{\"text\":\"so A\",\"answer\":null}]}");
        file(
                "fr.jsonl",
                "{\"id\":\"1\",\"language\":\"fr\",\"question\":\"où ?\"," + choices
                        + ",\"responses\":[{\"text\":\"east\",\"answer\":\"A\"},{\"text\":\"Réponse : B\",\"answer\":\"A\"}]}");
    }

    static String[] with(List<String> some, String... more) {
        return Stream.concat(some.stream(), Stream.of(more)).toArray(String[]::new);
    }
}
