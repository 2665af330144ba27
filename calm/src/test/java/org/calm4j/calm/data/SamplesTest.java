package org.calm4j.calm.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lines that other programs read and write: which fields, in which order. */
class SamplesTest {
    private static final String QUESTION = "{\"id\":\"q1\",\"language\":\"fr\",\"question\":\"Où ?\",\"choices\":"
            + "[{\"label\":\"A\",\"text\":\"ici\"},{\"label\":\"B\",\"text\":\"là\"}]";
    private static final List<String> LINES = List.of(
            QUESTION + ",\"responses\":[]}",
            QUESTION + ",\"answer\":\"B\",\"relation\":\"place\",\"group\":\"g\",\"prompt\":\"Où ? A. ici\","
                    + "\"history\":[[\"Bonjour\",\"Salut\"]],\"responses\":[{\"text\":\"B\",\"answer\":\"B\","
                    + "\"logprob\":-1.5,\"num_tokens\":3},{\"text\":\"?\",\"answer\":null}]}");

    @TempDir
    private Path folder;

    @Test
    void aLineIsReadAndWrittenAsItIs() throws Exception {
        for (String line : LINES) {
            Samples samples = Json.mapper().readValue(line, Samples.class);
            assertThat(Json.compact(samples)).isEqualTo(line);
            assertThat(samples.id()).isEqualTo("q1");
            assertThat(samples.asked().question()).isEqualTo("Où ?");
            assertThat(Json.mapper().readValue(line.replace("{\"id\"", "{\"other\":1,\"id\""), Samples.class))
                    .isEqualTo(samples);
        }
    }

    @Test
    void brokenLinesAreNamed() throws Exception {
        Path file = folder.resolve("samples.jsonl");
        for (String[] broken : new String[][] {
            {LINES.getFirst().replace("\"id\":\"q1\",", ""), "id"},
            {LINES.getFirst().replace(",\"responses\":[]", ""), "responses"},
            {LINES.getFirst().replace("\"id\":\"q1\"", "\"id\":[1]"), "id"},
            {LINES.getFirst().replace("\"text\":\"ici\"", "\"text\":{}"), "choices[0].text"},
            {LINES.getFirst().replace("[]", "[{\"text\":[]}]"), "responses[0].text"}
        }) {
            Files.writeString(file, LINES.getFirst() + "\n" + broken[0] + "\n");
            assertThatThrownBy(() -> Jsonl.read(file, Samples.class))
                    .isInstanceOf(CalmException.class)
                    .hasMessageStartingWith(file + ":2")
                    .hasMessageContaining(broken[1]);
        }
    }
}
