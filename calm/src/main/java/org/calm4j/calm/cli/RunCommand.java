package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.calm.experiment.Experiment;
import org.calm4j.calm.experiment.ExperimentConfig;
import org.calm4j.calm.experiment.ExperimentFile;
import org.calm4j.calm.experiment.ExperimentResult;
import org.calm4j.calm.experiment.SeedSeries;
import org.calm4j.calm.experiment.StageLedger;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm run}. */
@Command(
        name = "run",
        sortOptions = false,
        description = {
            "Runs a whole experiment on your model and data, described by a YAML file.",
            "Sections: model, questions, output and, if wanted, evaluation, held_out, prompts, seed, sample, vote, pairs, dpo, evaluate, baselines, "
                    + "arms, language_curve, save_steps, inspect. A second run continues where the first one stopped."
        },
        footer = {"", "Example: calm run experiment.yaml --set dpo.learning_rate=1e-5 --seeds 1,2,3"})
final class RunCommand extends CalmCommand {
    @Parameters(
            paramLabel = "CONFIG.yaml",
            description = "The experiment; its paths are relative to the current folder.")
    private Path config;

    @Option(
            names = "--set",
            paramLabel = "key=value",
            description = "Override a setting; a dot separates section and key.")
    private Map<String, String> overrides = new LinkedHashMap<>();

    @Option(names = "--output", paramLabel = "DIR", description = "The same as --set output=DIR.")
    private String output;

    @Option(names = "--seed", paramLabel = "N", description = "The same as --set seed=N.")
    private Long seed;

    @Option(
            names = "--seeds",
            paramLabel = "N,…",
            split = ",",
            description =
                    "Run the experiment with each of these seeds, in seed-N below the output folder, and write a report of all.")
    private List<Long> seeds = List.of();

    @Option(names = "--dry-run", description = "Only show which stages would run, and why.")
    private boolean dryRun;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Mixin
    private WatchOption watch = new WatchOption();

    @Override
    String named(Setting setting) {
        return hasFlag(setting) ? setting.flag() : ExperimentFile.key(setting);
    }

    @Override
    boolean isShared() {
        return !dryRun;
    }

    @Override
    void run() {
        if (output != null) {
            overrides.put("output", output);
        }
        if (seed != null) {
            overrides.put("seed", seed.toString());
        }
        Seeds.check(seeds, seed != null);
        ExperimentConfig experiment = ExperimentFile.read(config, overrides);
        try (Backend backend = device.open(this)) {
            if (dryRun) {
                plan(experiment, backend);
                return;
            }
            try (WatchOption.Page page = watch.of(this, experiment.output())) {
                run(experiment, backend, page.progress(stoppable()));
            }
        }
    }

    private void run(ExperimentConfig experiment, Backend backend, Progress progress) {
        if (seeds.isEmpty()) {
            ExperimentResult result = new Experiment(experiment, backend, progress).run();
            if (ranks().isFirst()) {
                result(result.json(), result.summary());
            }
        } else {
            SeedSeries series = SeedSeries.run(
                    experiment.output(), seeds, each -> of(experiment, each, backend, progress), progress);
            if (ranks().isFirst()) {
                result(series.json(), series.summary());
            }
        }
    }

    private static Experiment of(ExperimentConfig experiment, long each, Backend backend, Progress progress) {
        return new Experiment(experiment.with(each, SeedSeries.folder(experiment.output(), each)), backend, progress);
    }

    private void plan(ExperimentConfig experiment, Backend backend) {
        List<StageLedger.Planned> plan = new ArrayList<>();
        if (seeds.isEmpty()) {
            plan.addAll(new Experiment(experiment, backend, progress()).plan());
        }
        seeds.forEach(each ->
                of(experiment, each, backend, progress()).plan().forEach(stage -> plan.add(stage.in("seed-" + each))));
        result(
                Map.of("stages", plan),
                plan.stream().map(StageLedger.Planned::toString).collect(Collectors.joining(System.lineSeparator())));
        if (seeds.isEmpty()) {
            new Experiment(experiment, backend, progress()).check();
        }
        seeds.forEach(each -> of(experiment, each, backend, progress()).check());
    }
}
