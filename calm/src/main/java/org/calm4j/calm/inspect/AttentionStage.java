package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.data.PromptLines;
import org.calm4j.calm.report.HeatPage;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.inspect.HeadScore;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.ModelFolder;

/**
 * What heads attend to: scores of all of them on random tokens that come twice, and patterns of some of them in texts.
 *
 * @param output scores, a line a head
 * @param page an HTML file; null for none
 * @param heads whose patterns are wanted; empty for the best of each score
 * @param seed of the random tokens
 */
public record AttentionStage(Path input, Path output, Path page, List<Head> heads, long seed) {
    private static final int LONGEST = 50;
    private static final int TEXTS = 8;
    private static final int SHORTEST = 3;

    public record Head(int layer, int head) {}

    /** A line of the output. */
    private record Line(
            int layer,
            int head,
            @JsonProperty("previous_token") double previousToken,
            @JsonProperty("duplicate_token") double duplicateToken,
            double induction) {
        private static Line of(HeadScore score) {
            return new Line(
                    score.layer(), score.head(), score.previousToken(), score.duplicateToken(), score.induction());
        }
    }

    private record Text(JsonNode id, int[] tokens) {}

    /** A text's tokens, and what some heads attend to. */
    public record Patterns(String id, List<String> tokens, List<Pattern> heads) {}

    /** @param rows [query][key], keys up to the query */
    public record Pattern(int layer, int head, double[][] rows) {}

    /** What was found. */
    public record Result(List<HeadScore> scores, List<Patterns> texts) {}

    public Result run(ModelFolder model, Progress progress) {
        ModelConfig config = model.model().config();
        check(config);
        List<Text> texts = PromptLines.read(
                input, (line, where) -> new Text(PromptLines.id(line, where), PromptLines.tokens(model, line, where)));
        int length = Math.min(
                LONGEST,
                Math.min(config.positions().limit() / 2, config.vocabulary().size()));
        if (length < SHORTEST) {
            throw CalmException.badInput(model.path(), "has too few positions or tokens for scores of heads");
        }
        int longest = texts.stream().mapToInt(text -> text.tokens.length).max().orElseThrow();
        progress.start("attention", texts.size());
        try (Inspector inspector = new Inspector(model.model(), Math.max(longest, 2 * length))) {
            List<HeadScore> scores = HeadScore.of(inspector, length, TEXTS, seed);
            List<Head> shown = heads.isEmpty() ? best(scores) : heads;
            List<Patterns> patterns = new ArrayList<>();
            for (Text text : texts) {
                patterns.add(patterns(inspector, text, shown, model));
                progress.at(patterns.size(), "");
            }
            Jsonl.write(output, scores.stream().map(Line::of).toList());
            if (page != null) {
                page(model.path().toAbsolutePath().normalize().getFileName().toString(), scores, config, patterns)
                        .write(page);
            }
            return new Result(scores, patterns);
        } finally {
            progress.end();
        }
    }

    private void check(ModelConfig config) {
        for (Head each : heads) {
            if (each.layer >= config.layers() || each.head >= config.attention().heads()) {
                throw CalmException.usage("there is no head " + each.layer + "." + each.head + "; the model has "
                        + config.layers() + " layers of " + config.attention().heads() + " heads");
            }
        }
    }

    private static List<Head> best(List<HeadScore> scores) {
        return Stream.<ToDoubleFunction<HeadScore>>of(
                        HeadScore::previousToken, HeadScore::duplicateToken, HeadScore::induction)
                .map(score ->
                        scores.stream().max(Comparator.comparingDouble(score)).orElseThrow())
                .map(best -> new Head(best.layer(), best.head()))
                .distinct()
                .toList();
    }

    private static Patterns patterns(Inspector inspector, Text text, List<Head> shown, ModelFolder model) {
        int count = text.tokens.length;
        Selection points = Selection.of(
                inspector.config(),
                shown.stream().map(head -> HookPoint.PATTERN.name(head.layer)).toList());
        try (Trace trace = inspector.run(text.tokens, points)) {
            List<Pattern> found = new ArrayList<>();
            for (Head each : shown) {
                double[] pattern = trace.values(HookPoint.PATTERN.name(each.layer));
                double[][] rows = new double[count][];
                Arrays.setAll(rows, query -> {
                    int first = (each.head * count + query) * count;
                    return Arrays.copyOfRange(pattern, first, first + query + 1);
                });
                found.add(new Pattern(each.layer, each.head, rows));
            }
            List<String> tokens = IntStream.of(text.tokens)
                    .mapToObj(id -> model.tokenizer() == null
                            ? Integer.toString(id)
                            : model.tokenizer()
                                    .decode(new int[] {id}, false)
                                    .replace(' ', '␣')
                                    .replace('\n', '⏎'))
                    .toList();
            return new Patterns(text.id.asText(), tokens, found);
        }
    }

    private static HeatPage page(String model, List<HeadScore> scores, ModelConfig config, List<Patterns> texts) {
        List<HeatPage.Section> sections = new ArrayList<>();
        sections.add(new HeatPage.Section(
                "Heads by what they attend to",
                "In random tokens that come twice: means over all queries that have such a token to attend to, in percent.",
                List.of(
                        table("Previous token: to the token before", scores, config, HeadScore::previousToken),
                        table(
                                "Duplicate token: the second time, to the same token the first time",
                                scores,
                                config,
                                HeadScore::duplicateToken),
                        table(
                                "Induction: the second time, to the token that followed it the first time",
                                scores,
                                config,
                                HeadScore::induction))));
        for (Patterns text : texts) {
            sections.add(new HeatPage.Section(
                    "Text " + text.id,
                    "A row is a token that attends, a column one that it attends to.",
                    text.heads.stream()
                            .map(head -> new HeatPage.Heat(
                                    "Layer " + head.layer + ", head " + head.head,
                                    "token",
                                    text.tokens,
                                    IntStream.range(0, head.rows.length)
                                            .mapToObj(i -> new HeatPage.Row(text.tokens.get(i), cells(head.rows[i])))
                                            .toList(),
                                    true))
                            .toList()));
        }
        return new HeatPage("Attention of " + model, "Shares of a head's attention, in percent.", sections);
    }

    private static HeatPage.Heat table(
            String caption, List<HeadScore> scores, ModelConfig config, ToDoubleFunction<HeadScore> value) {
        double[][] values = new double[config.layers()][config.attention().heads()];
        scores.forEach(score -> values[score.layer()][score.head()] = value.applyAsDouble(score));
        return new HeatPage.Heat(
                caption,
                "layer",
                IntStream.range(0, values[0].length)
                        .mapToObj(head -> "head " + head)
                        .toList(),
                IntStream.range(0, values.length)
                        .mapToObj(layer -> new HeatPage.Row(String.valueOf(layer), cells(values[layer])))
                        .toList(),
                false);
    }

    private static List<HeatPage.Cell> cells(double[] shares) {
        return Arrays.stream(shares)
                .mapToObj(share -> new HeatPage.Cell(String.valueOf(Math.round(100 * share)), share, null))
                .toList();
    }
}
