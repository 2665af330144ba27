package org.calm4j.calm.world;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.data.Document;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorldFilesTest {
    private static final World WORLD = World.create(
            WorldConfig.of(List.of("fr", "ja"))
                    .withTexts(WorldConfig.standard().texts().withTokens(10_000, 2_000)),
            5);
    private static final Curriculum CURRICULUM = new Curriculum(WORLD);

    @Test
    void whatIsWrittenIsTheWorld(@TempDir Path folder) throws IOException {
        WorldFiles.write(WORLD, CURRICULUM, folder);
        assertThat(Jsonl.read(folder.resolve(WorldFiles.TRAINING_QUESTIONS), Question.class))
                .isEqualTo(WORLD.trainingQuestions());
        assertThat(Jsonl.read(folder.resolve(WorldFiles.EVALUATION_QUESTIONS), Question.class))
                .isEqualTo(WORLD.evaluationQuestions());
        assertThat(Jsonl.read(folder.resolve(WorldFiles.HELD_OUT_QUESTIONS), Question.class))
                .isEqualTo(WORLD.heldOutQuestions());
        assertThat(PromptTemplates.read(folder.resolve(WorldFiles.PROMPTS))).isEqualTo(WORLD.promptTemplates());

        List<Map<String, Object>> knowledge = Jsonl.readMaps(folder.resolve(WorldFiles.KNOWLEDGE));
        assertThat(knowledge).hasSize(2 * 256);
        assertThat(knowledge)
                .filteredOn(row -> row.get("held_out").equals(true))
                .hasSize(2 * 77);
        assertThat(knowledge)
                .noneMatch(
                        row -> row.get("asked").equals(true) && row.get("known").equals(false));

        List<Map<String, Object>> statements = Jsonl.readMaps(folder.resolve(WorldFiles.STATEMENTS));
        assertThat(statements).hasSize((int)
                knowledge.stream().filter(row -> row.get("known").equals(true)).count());
        assertThat(statements.stream().map(row -> row.get("id"))).doesNotHaveDuplicates();
        Fact known = WORLD.facts().stream()
                .filter(fact -> WORLD.isKnown("ja", fact))
                .findFirst()
                .orElseThrow();
        assertThat(statements)
                .anyMatch(row -> row.get("id").equals(known.id() + "-ja")
                        && (row.get("prompt") + " " + row.get("completion")).equals(WORLD.statement("ja", known)));

        assertThat(new YAMLMapper()
                        .readValue(folder.resolve(WorldFiles.SETTINGS).toFile(), WorldConfig.class))
                .isEqualTo(WORLD.config());

        JsonNode summary = Json.read(folder.resolve(WorldFiles.SUMMARY), JsonNode.class);
        assertThat(summary.get("seed").asInt()).isEqualTo(5);
        assertThat(summary.get("languages").toString()).isEqualTo("[\"fr\",\"ja\"]");
        assertThat(summary.get("held_out_facts")).hasSize(77);
        assertThat(summary.get("vocabulary").asInt())
                .isEqualTo(CURRICULUM.vocabulary().size());
    }

    @Test
    void theSameSeedGivesTheSameBytes(@TempDir Path folder) throws IOException {
        WorldFiles.write(WORLD, CURRICULUM, folder.resolve("one"));
        World again = World.create(WORLD.config(), 5);
        WorldFiles.write(again, new Curriculum(again), folder.resolve("two"));
        try (Stream<Path> files = Files.walk(folder.resolve("one"))) {
            List<Path> written = files.filter(Files::isRegularFile).toList();
            assertThat(written).hasSize(10);
            for (Path file : written) {
                assertThat(folder.resolve("two").resolve(folder.resolve("one").relativize(file)))
                        .hasSameBinaryContentAs(file);
            }
        }
    }

    @Test
    void aCorpusIsTheBeginningOfTheTextsAndComesBackFromItsFile(@TempDir Path folder) {
        List<Document> corpus = CURRICULUM.documents();
        assertThat(corpus.stream().mapToInt(Curriculum::length).sum()).isBetween(10_000, 10_050);
        assertThat(corpus).startsWith(CURRICULUM.warmup(2_000).toArray(Document[]::new));
        Jsonl.write(folder.resolve("corpus.jsonl"), corpus);
        assertThat(Jsonl.read(folder.resolve("corpus.jsonl"), Document.class)).isEqualTo(corpus);
    }
}
