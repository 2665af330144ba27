package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.calm4j.calm.hub.Globs;
import org.calm4j.calm.hub.HubSettings;
import org.calm4j.calm.hub.RepoId;
import org.calm4j.calm.hub.Snapshot;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm download}. */
@Command(
        name = "download",
        sortOptions = false,
        description = {
            "Downloads a model or a data set from a hub and prints its folder.",
            "Files already there are not downloaded again, and interrupted downloads continue. Offline, the cache is used if it has all "
                    + "requested files. Reads HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE."
        },
        footer = {"", "Example: calm download Qwen/Qwen2.5-0.5B-Instruct --include '*.json' '*.safetensors'"})
final class DownloadCommand extends CalmCommand {
    @Parameters(paramLabel = "ORG/NAME", description = "The repository.")
    private String id;

    @Option(
            names = "--revision",
            paramLabel = "REV",
            defaultValue = "main",
            description = "A branch, tag or commit (default: ${DEFAULT-VALUE}).")
    private String revision;

    @Option(
            names = "--repo-type",
            paramLabel = "model|dataset",
            defaultValue = "model",
            description = "Kind of repository (default: ${DEFAULT-VALUE}).")
    private RepoId.Type type;

    @Option(
            names = "--include",
            paramLabel = "GLOB",
            arity = "1..*",
            description = "Download only files that match one of these.")
    private List<String> include = List.of();

    @Option(
            names = "--exclude",
            paramLabel = "GLOB",
            arity = "1..*",
            description = "Skip files that match one of these.")
    private List<String> exclude = List.of();

    @Option(
            names = "--local-dir",
            paramLabel = "DIR",
            description =
                    "A plain folder for the files, instead of the cache. Files there that did not come from the hub, or were "
                            + "changed since, are not replaced.")
    private Path localDir;

    @Option(
            names = "--cache-dir",
            paramLabel = "DIR",
            description = "The cache (default: HF_HUB_CACHE, or hub below HF_HOME).")
    private Path cacheDir;

    @Option(
            names = "--max-workers",
            paramLabel = "N",
            defaultValue = "8",
            converter = NumberConverters.Positive.class,
            description = "Number of files to download at the same time (default: ${DEFAULT-VALUE}).")
    private int workers;

    @Override
    void run() {
        if (localDir != null && cacheDir != null) {
            throw CalmException.usage("--local-dir and --cache-dir exclude each other");
        }
        HubSettings settings = HubSettings.of(System.getenv());
        if (cacheDir != null) {
            settings = settings.withCache(cacheDir);
        }
        Progress progress = progress();
        Snapshot snapshot = new Snapshot(
                new RepoId(type, id, revision), new Globs(include, exclude), localDir, workers, Duration.ofSeconds(1));
        Snapshot.Result result;
        try {
            result = snapshot.download(settings, new Listener(progress));
        } finally {
            progress.end();
        }
        result(result, result.folder().toAbsolutePath().normalize().toString());
    }

    private static final class Listener implements Snapshot.Listener {
        private static final int MEGA = 1_000_000;
        private final Progress progress;
        private long total;

        Listener(Progress progress) {
            this.progress = progress;
        }

        @Override
        public void start(int files, long bytes) {
            total = bytes;
            progress.start("download, MB", Math.max(1, bytes / MEGA));
        }

        @Override
        public void at(long bytes) {
            progress.at(bytes / MEGA, String.format(Locale.ROOT, "of %.1f", total / (double) MEGA));
        }

        @Override
        public void say(String line) {
            progress.say(line);
        }
    }
}
