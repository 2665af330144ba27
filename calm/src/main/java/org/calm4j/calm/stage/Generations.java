package org.calm4j.calm.stage;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.train.TrainingFolder;

/** What a model says to fixed prompts while it is trained, greedily: before the first step, every so many, and after the last one. */
final class Generations {
    private static final int MOST_NEW_TOKENS = 64;

    /**
     * A line of generations.jsonl.
     *
     * @param step 0 before the first one
     * @param prompt text, messages or token ids, as in the file of prompts
     */
    private record Line(int step, JsonNode id, JsonNode prompt, String completion) {}

    private record Prompt(JsonNode id, JsonNode shown, int[] tokens) {}

    private final Path file;
    private final List<Prompt> prompts;
    private final Generator generator;
    private final Sampling sampling;
    private final int every;
    private final int steps;
    private boolean begun;

    /**
     * @param steps of the run
     * @throws CalmException bad input: the prompts are broken or longer than the model's positions
     */
    Generations(Path output, ModelFolder model, Path prompts, int every, int steps) {
        file = output.resolve(TrainingFolder.GENERATIONS);
        this.prompts = PromptLines.read(
                prompts,
                (line, where) -> new Prompt(
                        PromptLines.id(line, where),
                        line.has("messages")
                                ? line.get("messages")
                                : line.has("prompt") ? line.get("prompt") : line.get("input_ids"),
                        PromptLines.tokens(model, line, where)));
        this.every = every;
        this.steps = steps;
        generator = new Generator(model);
        int longest = this.prompts.stream()
                .mapToInt(each -> each.tokens().length)
                .max()
                .orElse(0);
        int left = model.model().config().positions().limit() - longest;
        sampling = Sampling.greedy(Math.clamp(left, 1, MOST_NEW_TOKENS));
        generator.check(tokens(), sampling);
    }

    private List<int[]> tokens() {
        return prompts.stream().map(Prompt::tokens).toList();
    }

    /**
     * Before the first step.
     *
     * @param goesOn from a checkpoint: what was said before the first step is there, unless nobody asked
     */
    void begin(boolean goesOn) {
        if (!goesOn) {
            Jsonl.write(file, lines(0));
        }
    }

    void took(int step) {
        if (!begun) {
            // Steps after the checkpoint are taken again.
            if (Files.exists(file)) {
                Jsonl.write(
                        file,
                        Jsonl.read(file, Line.class).stream()
                                .filter(line -> line.step() < step)
                                .toList());
            }
            begun = true;
        }
        if (step % every == 0 || step == steps) {
            write(step);
        }
    }

    private List<Line> lines(int step) {
        List<List<Completion>> completions = generator.generate(tokens(), sampling, done -> {});
        List<Line> lines = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            Completion said = completions.get(i).getFirst();
            String text = said.text() != null ? said.text() : Arrays.toString(said.tokens());
            lines.add(new Line(step, prompts.get(i).id(), prompts.get(i).shown(), text));
        }
        return lines;
    }

    private void write(int step) {
        List<String> lines = lines(step).stream().map(Json::compact).toList();
        try {
            Files.write(file, lines, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException | UncheckedIOException e) {
            throw CalmException.failed(file + ": " + e.getMessage(), e);
        }
    }
}
