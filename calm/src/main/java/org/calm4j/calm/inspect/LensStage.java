package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.tool.ScoredText;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Streams;
import org.calm4j.engine.inspect.TunedLens;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.text.Tokenizer;

/**
 * The logit lens (nostalgebraist 2020): what the last norm and the head make of the stream at each layer and position; or the tuned lens,
 * where each layer's map comes before them.
 *
 * @param tuned the folder of a tuned lens; null for the logit lens
 * @param topK most probable tokens of each
 */
public record LensStage(Path input, Path output, Path tuned, int topK) {
    /** @param token null without a tokenizer */
    private record Top(@JsonProperty("token_id") int tokenId, String token, double logprob) {}

    /**
     * @param layer 0 is the stream before the first block, l that after block l − 1
     * @param logprob of the token that follows; null at the end
     */
    private record Line(JsonNode id, int layer, int position, List<Top> top, Double logprob) {}

    /** Returns the number of lines written. */
    public int run(ModelFolder model, Progress progress) {
        List<ScoredText> texts = ScoredText.read(input, model);
        int longest =
                texts.stream().mapToInt(text -> text.tokens().length).max().orElseThrow();
        int[] lines = {0};
        progress.start("lens", texts.size());
        try (Inspector inspector = new Inspector(model.model(), longest);
                TunedLens lens = tuned == null
                        ? null
                        : TunedLens.read(tuned, model.model().backend(), inspector.config())) {
            AtomicFile.write(output, out -> {
                for (int i = 0; i < texts.size(); i++) {
                    lines[0] += write(out, inspector, lens, texts.get(i), model.tokenizer());
                    progress.at(i + 1, "");
                }
            });
        } finally {
            progress.end();
        }
        return lines[0];
    }

    private int write(OutputStream out, Inspector inspector, TunedLens lens, ScoredText text, Tokenizer tokenizer)
            throws IOException {
        int[] tokens = text.tokens();
        int vocabulary = inspector.config().vocabulary().size();
        try (Streams streams = Streams.of(inspector, tokens)) {
            for (int layer = 0; layer < streams.count(); layer++) {
                double[] logits = inspector.unembed(streams.get(layer), lens, layer);
                for (int position = 0; position < tokens.length; position++) {
                    int first = position * vocabulary;
                    double logSum = logSumExp(logits, first, vocabulary);
                    Double next = position + 1 < tokens.length ? logits[first + tokens[position + 1]] - logSum : null;
                    Line line = new Line(
                            text.id(), layer, position, top(logits, first, logSum, vocabulary, tokenizer), next);
                    out.write((Json.compact(line) + "\n").getBytes(StandardCharsets.UTF_8));
                }
            }
            return streams.count() * tokens.length;
        }
    }

    private static double logSumExp(double[] logits, int first, int count) {
        double most = Double.NEGATIVE_INFINITY;
        for (int i = first; i < first + count; i++) {
            most = Math.max(most, logits[i]);
        }
        double sum = 0;
        for (int i = first; i < first + count; i++) {
            sum += Math.exp(logits[i] - most);
        }
        return most + Math.log(sum);
    }

    /** The most probable tokens, the first of equal ones first. */
    private List<Top> top(double[] logits, int first, double logSum, int vocabulary, Tokenizer tokenizer) {
        Comparator<Integer> better =
                Comparator.<Integer>comparingDouble(id -> -logits[first + id]).thenComparing(Comparator.naturalOrder());
        PriorityQueue<Integer> worstFirst = new PriorityQueue<>(better.reversed());
        for (int id = 0; id < vocabulary; id++) {
            if (worstFirst.size() < topK || better.compare(id, worstFirst.peek()) < 0) {
                worstFirst.add(id);
                if (worstFirst.size() > topK) {
                    worstFirst.poll();
                }
            }
        }
        List<Top> top = new ArrayList<>();
        while (!worstFirst.isEmpty()) {
            int id = worstFirst.poll();
            String token = tokenizer == null ? null : tokenizer.decode(new int[] {id}, false);
            top.addFirst(new Top(id, token, logits[first + id] - logSum));
        }
        return top;
    }
}
