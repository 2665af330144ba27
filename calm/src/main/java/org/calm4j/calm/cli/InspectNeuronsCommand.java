package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Locale;
import org.calm4j.calm.inspect.Lape;
import org.calm4j.calm.inspect.NeuronsStage;
import org.calm4j.calm.inspect.NeuronsStage.Losses;
import org.calm4j.calm.inspect.Pages;
import org.calm4j.engine.Setting;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm inspect neurons}. */
@Command(
        name = "neurons",
        sortOptions = false,
        description = {
            "Finds language-specific neurons by the entropy of their activation probabilities (LAPE, Tang et al. 2024), and "
                    + "shows what silencing them does to each language's loss, beside as many neurons drawn at random."
        },
        footer = {
            "",
            "Example: calm inspect neurons --model base --input texts.jsonl --eval-input other-texts.jsonl \\",
            "    --output neurons.jsonl"
        })
final class InspectNeuronsCommand extends CalmCommand {
    @Mixin
    private ModelOptions model = new ModelOptions();

    @Mixin
    private final InputAndOutput files = new InputAndOutput(
            "Lines with language and text or input_ids, JSON Lines: where neurons are active.",
            "Lines of kind neuron (layer, neuron, entropy, languages, probabilities) and loss (silenced, "
                    + "random, neurons, losses, changes), JSON Lines.");

    @Option(
            names = "--eval-input",
            paramLabel = "FILE",
            description = "The same, whose losses are measured (default: --input).")
    private Path evalInput;

    @Option(
            names = "--top-rate",
            paramLabel = "X",
            converter = NumberConverters.Finite.class,
            description = "Share of all neurons that are selected, of the lowest entropy (default: ${DEFAULT-VALUE}).")
    private double topRate = Lape.PAPER.topRate();

    @Option(
            names = "--filter-rate",
            paramLabel = "X",
            converter = NumberConverters.Finite.class,
            description = "Leave out neurons none of whose probabilities is above this quantile of all "
                    + "(default: ${DEFAULT-VALUE}).")
    private double filterRate = Lape.PAPER.filterRate();

    @Option(
            names = "--activation-bar-ratio",
            paramLabel = "X",
            converter = NumberConverters.Finite.class,
            description = "A neuron belongs to the languages in which its probability is above this quantile of all "
                    + "(default: ${DEFAULT-VALUE}).")
    private double activationBarRatio = Lape.PAPER.activationBarRatio();

    @Mixin
    private SeedOption seed = new SeedOption();

    @Mixin
    private final PageOption page = new PageOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        Setting.of("top_rate").check(topRate > 0 && topRate <= 1, "must be above 0 and at most 1");
        Setting.of("filter_rate").check(filterRate >= 0 && filterRate <= 1, "must be from 0 to 1");
        Setting.of("activation_bar_ratio")
                .check(activationBarRatio >= 0 && activationBarRatio <= 1, "must be from 0 to 1");
        Lape lape = new Lape(topRate, filterRate, activationBarRatio);
        try (Backend backend = device.open(this);
                ModelFolder folder = model.open(this, backend)) {
            NeuronsStage.Result found =
                    new NeuronsStage(files.input(), evalInput, files.output(), lape, seed.seed).run(folder, progress());
            page.write(files.output(), Pages::neurons);
            result(found, text(found));
        }
    }

    private String text(NeuronsStage.Result found) {
        StringBuilder text = new StringBuilder();
        text.append(String.format(
                Locale.ROOT,
                "%d of %d neurons are specific to languages. What silencing them adds to each language's loss:%n",
                found.neurons().size(),
                found.all()));
        text.append(String.format("%-10s  %7s", "silenced", "neurons"));
        Losses before = found.losses().getFirst();
        before.losses().keySet().forEach(language -> text.append(String.format("  %8s", language)));
        text.append(String.format("  %10s%n", "own excess"));
        for (Losses each : found.losses()) {
            boolean all = each.silenced() == null;
            String name = all ? "none" : each.random() ? "  random" : each.silenced();
            text.append(String.format("%-10s  %7s", name, all ? "" : each.neurons()));
            (all ? each.losses() : each.changes())
                    .values()
                    .forEach(value -> text.append(String.format(Locale.ROOT, all ? "  %8.4f" : "  %+8.4f", value)));
            text.append(
                    each.ownExcess() == null
                            ? String.format("%n")
                            : String.format(Locale.ROOT, "  %+10.4f%n", each.ownExcess()));
        }
        return text + "In " + files.output();
    }
}
