package org.calm4j.calm.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.world.WorldFiles;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On the way from the questions to the aligned model there is no label and nothing of what is held out. */
@Tag("slow")
class WhatCalmReadsTest {
    private static final String MARKER = "heldoutmarker";
    private static final int HELD_OUT = 6;

    @TempDir
    private Path folder;

    @Test
    void noLabelAndNoHeldOutFactIsOnTheWay() throws Exception {
        WorldOnDisk.write(folder);
        Path world = folder.resolve("world");
        List<Question> training = Jsonl.read(world.resolve("some.jsonl"), Question.class);
        Jsonl.write(world.resolve("eval.jsonl"), training);
        List<Question> heldOut = Jsonl.read(world.resolve(WorldFiles.HELD_OUT_QUESTIONS), Question.class);
        List<String> ids =
                heldOut.stream().map(Question::id).distinct().limit(HELD_OUT).toList();
        Jsonl.write(
                world.resolve("heldout.jsonl"),
                heldOut.stream()
                        .filter(question -> ids.contains(question.id()))
                        .map(WhatCalmReadsTest::marked)
                        .toList());
        Path right = run("right");
        // With labels that are all wrong the same is voted, paired and learned.
        Jsonl.write(
                world.resolve("some.jsonl"),
                training.stream().map(WhatCalmReadsTest::wrong).toList());
        Path wrong = run("wrong");
        for (String file : List.of(
                "votes.jsonl",
                "pairs.jsonl",
                "pair-counts.json",
                "calm/model.safetensors",
                "eval-after/predictions.jsonl")) {
            assertThat(wrong.resolve(file)).hasSameBinaryContentAs(right.resolve(file));
        }
        assertThat(holdsMarker(right.resolve("held-out-after/responses.jsonl"))).isTrue();
        try (Stream<Path> files = Files.walk(right)) {
            for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                String name = right.relativize(file).toString();
                boolean measures = name.startsWith("held-out-") || name.startsWith("report.");
                assertThat(measures || !holdsMarker(file)).as(name).isTrue();
            }
        }
        // The stages that make the model name all that they read: none is held out.
        JsonNode trained = Json.read(right.resolve("calm/train_config.json"), JsonNode.class);
        assertThat(trained.toString()).doesNotContain("heldout");
    }

    private static Question marked(Question question) {
        return new Question(
                question.id(),
                question.language(),
                question.question() + " " + MARKER,
                question.choices().stream()
                        .map(choice -> new Question.Choice(choice.label(), choice.text()))
                        .toList(),
                question.answer(),
                question.relation());
    }

    private static Question wrong(Question question) {
        String other = question.choices().stream()
                .map(Question.Choice::label)
                .filter(label -> !label.equals(question.answer()))
                .findFirst()
                .orElseThrow();
        return new Question(
                question.id(),
                question.language(),
                question.question(),
                question.choices(),
                other,
                question.relation());
    }

    private static boolean holdsMarker(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).contains(MARKER);
    }

    private Path run(String name) throws IOException {
        Path config =
                Files.writeString(folder.resolve(name + ".yaml"), """
                model: %1$s/model
                questions: %1$s/world/some.jsonl
                evaluation: %1$s/world/eval.jsonl
                held_out: %1$s/world/heldout.jsonl
                prompts: %1$s/world/%2$s
                output: %1$s/%3$s
                sample: {responses: 8, max_new_tokens: 32}
                dpo: {max_steps: 6, learning_rate: 1e-3, batch_size: 4}
                """.formatted(folder, WorldFiles.PROMPTS, name));
        try (Backend backend = Backends.open("cpu", 0)) {
            new Experiment(ExperimentFile.read(config, Map.of()), backend, Progress.NONE).run();
        }
        return folder.resolve(name);
    }
}
