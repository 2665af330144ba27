package org.calm4j.calm.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Prompt;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.data.Samples;
import org.calm4j.calm.report.Inside;
import org.calm4j.calm.world.Curriculum;
import org.calm4j.calm.world.World;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.calm.world.WorldFiles;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InsideStageTest {
    @TempDir
    private Path folder;

    private final Backend backend = new SimdBackend(2);

    @AfterEach
    void close() {
        backend.close();
    }

    /** A random model with the tokenizer of the demo's world; returns English questions of it. */
    private List<Question> write() {
        World world = World.create(
                WorldConfig.of(List.of("en", "fr"))
                        .withTexts(WorldConfig.standard().texts().withTokens(1000, 0)),
                3);
        Curriculum curriculum = new Curriculum(world);
        WorldFiles.write(world, curriculum, folder.resolve("world"));
        Path tokenizer = folder.resolve("world").resolve(WorldFiles.TOKENIZER);
        ModelConfig config = Llama.config(
                curriculum.tokenizer().size(),
                16,
                24,
                2,
                2,
                1,
                128,
                curriculum.tokenizer().eosId());
        try (Parameters parameters = Parameters.random(backend, config, 5)) {
            for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
                Files.copy(tokenizer.resolve(name), folder.resolve(name));
            }
            Json.write(folder.resolve("config.json"), config.toJson(DType.F32));
            Safetensors.write(
                    folder.resolve("model.safetensors"), parameters.slab().tensors(), Map.of("format", "pt"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Jsonl.read(folder.resolve("world").resolve(WorldFiles.TRAINING_QUESTIONS), Question.class).stream()
                .filter(question -> question.language().equals("en"))
                .toList();
    }

    private ModelFolder open() {
        return ModelFolder.open(backend, folder, null);
    }

    /** A question as if asked in a language, and a response that states the right option or another. */
    private static Samples line(Question question, String language, boolean right) {
        Question.Choice stated = question.choices().stream()
                .filter(choice -> choice.label().equals(question.answer()) == right)
                .findFirst()
                .orElseThrow();
        Question asked =
                new Question(question.id(), language, question.question(), question.choices(), question.answer(), null);
        return new Samples(
                asked,
                new Prompt(question.question(), null),
                List.of(new Samples.Response(stated.text() + " .", stated.label(), null, null)));
    }

    /** The same model twice changes nothing, and a stream that is there already brings nothing. */
    @Test
    void nothingComesOfNothing() {
        List<Question> questions = write();
        List<Samples> lines = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            lines.add(line(questions.get(i), "en", true));
            lines.add(line(questions.get(i), "fr", i < 2));
        }
        Inside inside = new InsideStage(lines, lines, 10, 1).run(this::open, this::open);

        assertThat(inside.similarity().get("after"))
                .isEqualTo(inside.similarity().get("before"));
        // Both languages read the same.
        assertThat(inside.similarity().get("before"))
                .allSatisfy(layer -> assertThat(layer.cosine()).isCloseTo(1, within(1e-6)));
        assertThat(inside.recall()).extracting(Inside.Recall::kind).containsExactly("stayed right", "stayed wrong");
        assertThat(inside.recall()).extracting(Inside.Recall::n).containsExactly(6 + 2, 4);
        for (Inside.Recall recall : inside.recall()) {
            assertThat(recall.after()).isEqualTo(recall.before());
            assertThat(recall.change()).isZero();
            assertThat(recall.before()).allSatisfy(share -> assertThat(share).isBetween(0.0, 1.0));
        }
        Inside.Rescue rescue = inside.rescue().get("before");
        assertThat(rescue.source()).isEqualTo("en");
        assertThat(inside.rescue().get("after")).isEqualTo(rescue);

        assertThat(rescue.n()).isEqualTo(4);
        assertThat(rescue.right()).isEqualTo(Collections.nCopies(rescue.right().size(), rescue.unpatched()));
        assertThat(rescue.pValues()).allSatisfy(p -> assertThat(p).isBetween(0.0, 1.0));
    }

    /** Without a word of the options there is nothing to read an answer from. */
    @Test
    void aResponseWithoutAnOptionIsLeftOut() {
        Question question = write().getFirst();
        Samples silent = line(question, "en", true).with(List.of(new Samples.Response("the", null, null, null)));
        Samples other =
                line(question, "fr", true).with(List.of(new Samples.Response("the", question.answer(), null, null)));
        Inside inside =
                new InsideStage(List.of(silent, other), List.of(silent, other), 4, 1).run(this::open, this::open);
        assertThat(inside.recall()).isEmpty();
        assertThat(inside.rescue()).isEmpty();
    }
}
