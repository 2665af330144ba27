package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.calm4j.calm.inspect.AttentionStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm inspect attention}. */
@Command(
        name = "attention",
        sortOptions = false,
        description = {
            "Shows what heads attend to: scores of all heads on repeated random tokens, and patterns of some heads in texts.",
            "Scores are the attention to the token before, to the same token's first occurrence, and to what followed it there."
        },
        footer = {
            "",
            "Example: calm inspect attention --model base --input texts.jsonl --output scores.jsonl \\",
            "    --report attention.html"
        })
final class InspectAttentionCommand extends CalmCommand {
    private static final int MOST_ATTENDED = 3;

    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files = new InputAndOutput(
            "Lines with id, and input_ids, prompt or messages, JSON Lines.",
            "Lines with layer, head, previous_token, duplicate_token and induction, JSON Lines.");

    @Option(
            names = "--heads",
            paramLabel = "LAYER.HEAD",
            split = ",",
            description = "Heads whose patterns are shown (default: the best of each score).")
    private List<String> heads = List.of();

    @Mixin
    private SeedOption seed = new SeedOption();

    @Option(names = "--report", paramLabel = "FILE", description = "Scores and patterns as one HTML file.")
    private Path page;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        List<AttentionStage.Head> chosen =
                heads.stream().map(InspectAttentionCommand::head).toList();
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            AttentionStage.Result found =
                    new AttentionStage(files.input(), files.output(), page, chosen, seed.seed).run(folder, progress());
            result(found, text(found));
        }
    }

    private static AttentionStage.Head head(String text) {
        if (!text.matches("\\d{1,6}\\.\\d{1,6}")) {
            throw CalmException.usage("--heads takes LAYER.HEAD, such as 3.1, not " + text);
        }
        String[] parts = text.split("\\.");
        return new AttentionStage.Head(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
    }

    private String text(AttentionStage.Result found) {
        String scores = found.scores().stream()
                .map(score -> String.format(
                        Locale.ROOT,
                        "%-8s  %8.3f  %9.3f  %9.3f%n",
                        score.layer() + "." + score.head(),
                        score.previousToken(),
                        score.duplicateToken(),
                        score.induction()))
                .collect(Collectors.joining());
        String patterns = found.texts().stream()
                .flatMap(text -> text.heads().stream().map(head -> pattern(text, head)))
                .collect(Collectors.joining());
        return String.format("%-8s  %8s  %9s  %9s%n", "head", "previous", "duplicate", "induction")
                + scores
                + patterns
                + "In " + files.output()
                + (page == null ? "" : " and " + page);
    }

    /** Each token with those that it attends to most. */
    private static String pattern(AttentionStage.Patterns text, AttentionStage.Pattern head) {
        String rows = IntStream.range(0, head.rows().length)
                .mapToObj(query -> String.format(
                        "  %-12s  %s%n",
                        text.tokens().get(query),
                        IntStream.rangeClosed(0, query)
                                .boxed()
                                .sorted(Comparator.comparingDouble(key -> -head.rows()[query][key]))
                                .limit(MOST_ATTENDED)
                                .map(key -> String.format(
                                        Locale.ROOT,
                                        "%s@%d %.0f %%",
                                        text.tokens().get(key),
                                        key,
                                        100 * head.rows()[query][key]))
                                .collect(Collectors.joining(", "))))
                .collect(Collectors.joining());
        return String.format(
                        "%nText %s, head %d.%d attends to (token@position)%n", text.id(), head.layer(), head.head())
                + rows;
    }
}
