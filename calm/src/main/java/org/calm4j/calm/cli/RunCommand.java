package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.calm.stage.Experiment;
import org.calm4j.calm.stage.ExperimentConfig;
import org.calm4j.calm.stage.ExperimentFile;
import org.calm4j.calm.stage.ExperimentResult;
import org.calm4j.calm.stage.StageLedger;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm run}. */
@Command(name = "run", sortOptions = false, description = {"The whole experiment on your model and data, as a YAML file says it: model, questions, output and,",
    "if wanted, evaluation, held_out, prompts, seed, sample, dpo, baselines. A second run goes on where the first stopped."},
        footer = {"", "Example: calm run experiment.yaml --set dpo.learning_rate=1e-5 --set seed=2"})
final class RunCommand extends CalmCommand {
    @Parameters(paramLabel = "CONFIG.yaml", description = "The experiment; its paths count from the current folder.")
    private Path config;

    @Option(names = "--set", paramLabel = "key=value", description = "Override a setting; a dot leads into a section.")
    private Map<String, String> overrides = new LinkedHashMap<>();

    @Option(names = "--output", paramLabel = "DIR", description = "The same as --set output=DIR.")
    private String output;

    @Option(names = "--seed", paramLabel = "N", description = "The same as --set seed=N.")
    private Long seed;

    @Option(names = "--dry-run", description = "Only say which stages would run, and why.")
    private boolean dryRun;

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        if (output != null) {
            overrides.put("output", output);
        }
        if (seed != null) {
            overrides.put("seed", seed.toString());
        }
        ExperimentConfig experiment = ExperimentFile.read(config, overrides);
        try (Backend backend = device.open(this)) {
            Experiment stages = new Experiment(experiment, backend, progress());
            if (dryRun) {
                plan(stages.plan());
                return;
            }
            ExperimentResult result = stages.run();
            result(result.json(), result.summary());
        }
    }

    private void plan(List<StageLedger.Planned> plan) {
        String text = plan.stream().map(stage -> stage.name() + ": " + (stage.why() == null ? "done" : "would run, " + stage.why()))
                .collect(Collectors.joining(System.lineSeparator()));
        result(Map.of("stages", plan), text);
    }
}
