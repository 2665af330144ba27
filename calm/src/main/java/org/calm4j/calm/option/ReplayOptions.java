package org.calm4j.calm.option;

import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.Setting;

/** Documents that are trained on besides the data. */
@OptionRecord("Replay")
public record ReplayOptions(
        @Option(
                value =
                        "Documents whose cross-entropy is added to every step, against forgetting; from one file or several.",
                label = "FILE")
        List<Path> replay,

        @Option(
                value = "Proportions of the files in a step's documents, such as 3,1; default: their sizes.",
                label = "X,…")
        List<Double> replayShares,

        @Option(value = "Default ${DEFAULT-VALUE}.", label = "W", standard = "1")
        double replayWeight,

        @Option(value = "Documents per step; default ${DEFAULT-VALUE}.", label = "N", standard = "8")
        int replayBatchSize) {
    public ReplayOptions {
        replay = replay == null ? null : List.copyOf(replay);
        replayShares = replayShares == null ? null : List.copyOf(replayShares);
        Setting.of("replay_batch_size").check(replayBatchSize > 0, "must be at least 1");
        Setting.of("replay_shares")
                .check(
                        replayShares == null
                                || replay != null
                                        && replayShares.size() == replay.size()
                                        && replayShares.stream().allMatch(share -> share > 0),
                        "must be one number above 0 for each file of ",
                        Setting.of("replay"));
        Setting.of("replay_weight").check(replayWeight >= 0, "must be at least 0");
    }

    /** Empty without replay. */
    public List<Path> files() {
        return replay == null ? List.of() : replay;
    }
}
