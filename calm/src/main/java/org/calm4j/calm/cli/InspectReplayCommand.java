package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.calm4j.calm.inspect.ReplayDifference;
import org.calm4j.calm.inspect.ReplayStage;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm inspect replay}. */
@Command(
        name = "replay",
        sortOptions = false,
        customSynopsis = "calm inspect replay RUN --step=N --output=DIR [OPTION...]",
        description = {
            "Repeats a step of a finished training run: its checkpoint, to the bit, from the nearest existing one.",
            "If lines are left out or settings are changed, all steps are repeated, as in a run that was always so, or those after "
                    + "--from-step alone, and what differs from the run's own step is shown. Where the run cannot be replayed to the bit, it "
                    + "says why."
        },
        footer = {
            "",
            "Example: calm inspect replay aligned --step 150 --without-language ja --output step-150",
            "         calm inspect replay aligned --step 150 --from-step 100 --set beta=0.3 --output other-end"
        })
final class InspectReplayCommand extends CalmCommand {
    /** Tensors that are shown: those that differ most. */
    private static final int MOST = 20;

    @Parameters(paramLabel = "RUN", description = "The output folder of dpo, sft or pretrain.")
    private Path run;

    @Option(names = "--step", paramLabel = "N", required = true, description = "The step, from 1.")
    private int step;

    @Option(names = "--without-language", paramLabel = "L", description = "Leave out lines in this language.")
    private String language;

    @Option(
            names = "--without-lines",
            paramLabel = "N",
            split = ",",
            description = "Leave out these lines of the data, counted from 1.")
    private List<Integer> lines = List.of();

    @Option(
            names = "--from-step",
            paramLabel = "K",
            description =
                    "The change holds after step K alone: what the run was by then, weights and moments, is its own, from its "
                            + "nearest checkpoint. Default: 0, the start.")
    private int fromStep;

    @Option(
            names = "--loss-type",
            paramLabel = "NAME,…",
            split = ",",
            description = "Another loss, as for dpo; loss_weights are then 1 each unless they are set.")
    private List<String> lossType = List.of();

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Another value of a setting of train_config, such as beta=0.3; may be repeated.")
    private Map<String, String> changes = new LinkedHashMap<>();

    @Option(names = "--output", paramLabel = "DIR", required = true, description = "The checkpoint folder to write.")
    private Path output;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        refuseIfSame(run, output);
        if (!lossType.isEmpty()) {
            changes.put("loss_type", Json.compact(lossType));
        }
        try (Backend backend = device.open(this)) {
            ReplayStage.Summary summary = new ReplayStage(
                            run, output, step, language, Set.copyOf(lines), fromStep, changes)
                    .run(backend, progress());
            result(summary, text(summary));
        }
    }

    private String text(ReplayStage.Summary summary) {
        return (summary.difference() == null ? "" : table(summary.difference())) + "Step " + summary.step()
                + ", of a run on " + summary.left() + " of " + summary.lines()
                + " lines, in " + output
                + (Boolean.TRUE.equals(summary.exact()) ? "; the run's own steps came out to the bit" : "");
    }

    /** Columns as wide as what is in them: names of tensors are of any length. */
    static String table(ReplayDifference difference) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("", "run", "changed"));
        difference
                .metrics()
                .forEach((name, metric) -> rows.add(List.of(name, number(metric.run()), number(metric.changed()))));
        rows.add(List.of("", "", "‖changed − run‖ / ‖run‖"));
        difference.tensors().stream()
                .sorted(Comparator.comparingDouble(each -> each.relative() == null ? 0 : -each.relative()))
                .limit(MOST)
                .forEach(each -> rows.add(List.of(each.name(), "", number(each.relative()))));
        rows.add(List.of("all " + difference.tensors().size() + " tensors", "", number(difference.relative())));
        int[] width = new int[3];
        rows.forEach(row -> Arrays.setAll(
                width,
                i -> Math.max(width[i], row.get(i).codePointCount(0, row.get(i).length()))));
        String format = "%-" + width[0] + "s  %" + width[1] + "s  %" + width[2] + "s%n";
        return rows.stream()
                .map(row -> String.format(Locale.ROOT, format, row.toArray()))
                .collect(Collectors.joining());
    }

    private static String number(Double value) {
        if (value == null) {
            return "-";
        }
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? String.valueOf(value.longValue())
                : String.format(Locale.ROOT, "%.6g", value);
    }
}
