package org.calm4j.calm.tool;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.run.PartialLines;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.SameOnAll;
import org.calm4j.calm.run.SettledSampling;
import org.calm4j.calm.run.SharedLines;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.generate.Completion;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.ranks.Ranks;

/**
 * Prompts in; for each its {@code completions} out: {@code text} (where the model has a tokenizer; cut before a stop string),
 * {@code output_ids} with the end-of-sequence token if one came, {@code logprobs} (natural, at temperature 1, before penalty and filters),
 * {@code finish_reason}: {@code eos}, {@code length}, or {@code stop} for a stop string.
 */
public record GenerateStage(Sampling sampling) {
    private static final int FEWEST_LINES = 512;
    private static final int MOST_LINES = 4096;

    /** @param where for messages */
    private record Line(JsonNode id, int[] tokens, String where) {}

    /** Continues one prompt; returns nothing on other ranks than 0. */
    public List<ObjectNode> ofPrompt(ModelFolder model, String prompt, Progress progress) {
        int[] tokens = model.requireTokenizer().encodePrompt(prompt);
        if (tokens.length == 0) {
            throw CalmException.usage("the prompt has no tokens; give some text");
        }
        return run(model, List.of(new Line(JsonNodeFactory.instance.numberNode(0), tokens, "the prompt")), progress);
    }

    /** Continues the lines of a file: {@code id}, and {@code prompt}, {@code messages} or {@code input_ids}; returns nothing on other ranks than 0. */
    public List<ObjectNode> ofFile(ModelFolder model, Path input, Progress progress) {
        return run(
                model,
                PromptLines.read(
                        input,
                        (line, where) ->
                                new Line(PromptLines.id(line, where), PromptLines.tokens(model, line, where), where)),
                progress);
    }

    public static void write(List<ObjectNode> results, Path output) {
        Jsonl.write(output, results);
    }

    private List<ObjectNode> run(ModelFolder model, List<Line> lines, Progress progress) {
        List<int[]> prompts = lines.stream().map(Line::tokens).toList();
        Generator generator = new Generator(model);
        Sampling settled = SettledSampling.of(
                generator, prompts, sampling, i -> lines.get(i).where(), progress);
        Ranks ranks = Ranks.here();
        SameOnAll.check(ranks, List.of(prompts, settled), model);
        int part = PartialLines.part(model.model(), FEWEST_LINES, MOST_LINES) / settled.count() + 1;
        PartialLines.Plan plan = new PartialLines.Plan("", part, lines.size());
        return SharedLines.make(ranks, ObjectNode.class, plan, progress, "generate", (first, end, done) -> {
            List<List<Completion>> completions = generator.generate(prompts.subList(first, end), first, settled, done);
            List<ObjectNode> results = new ArrayList<>();
            for (int i = first; i < end; i++) {
                ObjectNode result = JsonNodeFactory.instance.objectNode();
                result.set("id", lines.get(i).id);
                ArrayNode list = result.putArray("completions");
                completions.get(i - first).forEach(completion -> list.add(json(completion)));
                results.add(result);
            }
            return results;
        });
    }

    /** {@code text}, {@code output_ids}, {@code logprobs}, {@code finish_reason}. */
    static ObjectNode json(Completion completion) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        if (completion.text() != null) {
            json.put("text", completion.text());
        }
        ArrayNode ids = json.putArray("output_ids");
        ArrayNode logProbs = json.putArray("logprobs");
        for (int i = 0; i < completion.tokens().length; i++) {
            ids.add(completion.tokens()[i]);
            logProbs.add(completion.logProbs()[i]);
        }
        return json.put("finish_reason", completion.finishReason().text());
    }
}
