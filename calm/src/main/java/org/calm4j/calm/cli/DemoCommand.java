package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.experiment.Demo;
import org.calm4j.calm.experiment.ExperimentFile;
import org.calm4j.calm.experiment.ExperimentResult;
import org.calm4j.calm.experiment.SeedSeries;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.world.WorldConfig;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm demo}. */
@Command(
        name = "demo",
        sortOptions = false,
        description = {
            "Runs a whole experiment from nothing, in a few minutes.",
            "Pretrains a small model on a small real world in six languages, lets it vote, aligns it by its own vote, and measures. "
                    + "A second run with the same settings continues where the first one stopped."
        },
        footer = {"", "Example: calm demo --seed 2 --full --output my-demo"})
final class DemoCommand extends CalmCommand {
    @Option(
            names = "--output",
            paramLabel = "DIR",
            defaultValue = "calm-demo",
            description = "Folder for all files (default: ${DEFAULT-VALUE}).")
    private Path output;

    @Option(
            names = "--languages",
            paramLabel = "L,…",
            split = ",",
            description = "Languages of the world (default: en,zh,fr,de,it,ja). The "
                    + "others may ask two of them: en and de if both are among them, otherwise the first two.")
    private List<String> languages;

    @Option(
            names = "--world",
            paramLabel = "FILE",
            description =
                    "Settings of the world: languages, hubs, what each language knows, what pretraining "
                            + "reads. Keys are those of world/world.yaml in the output folder; keys left out keep their values there.")
    private Path world;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Override one of these keys, such as coverage.language.en=0.5; may be repeated.")
    private Map<String, String> overrides = new LinkedHashMap<>();

    @Option(
            names = "--quick",
            description = "A sixth of the pretraining and fewer questions: a check that it works, not for the figures.")
    private boolean quick;

    @Option(
            names = "--full",
            description =
                    "Also the baselines and rivals (SFT on the chosen, each language's own vote, English for all, random votes, a second "
                            + "round, DPO on the truth, DPO with an SFT term and with replay, SFT with larger steps, ScPO, DCO) and the curve by number of voting languages.")
    private boolean full;

    @Option(
            names = "--from",
            paramLabel = "MODEL",
            description = "Start from this model folder instead of pretraining.")
    private Path from;

    @Option(names = "--seed", paramLabel = "N", description = "Seed of all random numbers (default: 1).")
    private Long seed;

    @Option(
            names = "--seeds",
            paramLabel = "N,…",
            split = ",",
            description =
                    "Run the whole with each of these seeds, in seed-N below the output folder, and write a report of all.")
    private List<Long> seeds = List.of();

    @Option(
            names = "--save-steps",
            paramLabel = "N",
            description = "Keep a checkpoint of each training every N steps, for inspect step and replay.")
    private Integer saveSteps;

    @Mixin
    private InspectOption inspect = new InspectOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Mixin
    private WatchOption watch = new WatchOption();

    private WorldConfig config() {
        if (languages != null) {
            overrides.put("languages", Json.compact(languages));
        }
        return ExperimentFile.read(world, overrides, WorldConfig.class, WorldConfig.standard());
    }

    @Override
    String named(Setting setting) {
        return hasFlag(setting) ? setting.flag() : setting.key();
    }

    @Override
    boolean isShared() {
        return true;
    }

    @Override
    void run() {
        Seeds.check(seeds, seed != null);
        WorldConfig config = config();
        try (Backend backend = device.open(this);
                WatchOption.Page page = watch.of(this, output)) {
            Progress progress = page.progress(stoppable());
            if (seeds.isEmpty()) {
                ExperimentResult result =
                        demo(output, config, seed == null ? 1 : seed).run(backend, progress);
                if (ranks().isFirst()) {
                    result(result.json(), result.summary());
                }
                return;
            }
            SeedSeries series = SeedSeries.run(
                    output,
                    seeds,
                    each -> demo(SeedSeries.folder(output, each), config, each).experiment(backend, progress),
                    progress);
            if (ranks().isFirst()) {
                result(series.json(), series.summary());
            }
        }
    }

    private Demo demo(Path folder, WorldConfig config, long each) {
        Setting.of("save_steps").check(saveSteps == null || saveSteps > 0, "must be at least 1");
        return new Demo(folder, config, each, quick, full, from, saveSteps, inspect.read());
    }
}
