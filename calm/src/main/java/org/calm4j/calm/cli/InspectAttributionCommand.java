package org.calm4j.calm.cli;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import org.calm4j.calm.inspect.AttributionStage;
import org.calm4j.calm.inspect.AttributionStage.Result;
import org.calm4j.calm.inspect.Pages;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code calm inspect attribution}. */
@Command(
        name = "attribution",
        sortOptions = false,
        description = {
            "Direct logit attribution: what embedding, heads and feed-forward layers contribute to a difference of two logits.",
            "It is that of the answer minus that of the wrong one, at the last position; the last norm is taken as linear at "
                    + "the run's own scale."
        },
        footer = {"", "Example: calm inspect attribution --model base --input answers.jsonl --output attribution.jsonl"
        })
final class InspectAttributionCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files = new InputAndOutput(
            "Lines with id, input_ids, prompt or messages, and answer and wrong (token ids), JSON Lines.",
            "Lines with id, logit_difference, embed, pos_embed, heads[layer][head], attn_bias[layer], "
                    + "mlp[layer] and norm_bias, JSON Lines.");

    @Mixin
    private final PageOption page = new PageOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            List<Result> results = new AttributionStage(files.input(), files.output()).run(folder, progress());
            page.write(files.output(), Pages::attribution);
            result(Map.of("lines", results.size(), "output", files.output().toString()), text(results));
        }
    }

    /** Means over the lines, by layer. */
    private String text(List<Result> results) {
        StringBuilder text = new StringBuilder(String.format("%-16s  %9s  %9s%n", "mean of lines", "attention", "mlp"));
        for (int layer = 0; layer < results.getFirst().mlp().length; layer++) {
            int l = layer;
            text.append(String.format(
                    Locale.ROOT,
                    "%-16s  %9.4f  %9.4f%n",
                    "layer " + layer,
                    mean(results, each -> DoubleStream.of(each.heads()[l]).sum() + each.attnBias()[l]),
                    mean(results, each -> each.mlp()[l])));
        }
        return text.append(row("embedding", mean(results, each -> each.embed() + each.posEmbed())))
                .append(row("last norm's bias", mean(results, Result::normBias)))
                .append(row("logit difference", mean(results, Result::logitDifference)))
                .append("By line and head in ")
                .append(files.output())
                .toString();
    }

    private static String row(String name, double value) {
        return String.format(Locale.ROOT, "%-16s  %9.4f%n", name, value);
    }

    private static double mean(List<Result> results, ToDoubleFunction<Result> value) {
        return results.stream().mapToDouble(value).average().orElseThrow();
    }
}
