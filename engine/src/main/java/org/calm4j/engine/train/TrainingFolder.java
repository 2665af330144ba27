package org.calm4j.engine.train;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.model.ModelFolder;

/** The output folder of a training: what a training writes there must not be somebody else's already. */
public final class TrainingFolder {
    static final String METRICS = "metrics.jsonl";
    static final String CONFIG = "train_config.json";
    private static final Set<String> COMMANDS = Set.of("dpo", "sft", "pretrain", "grpo");

    private TrainingFolder() {}

    /**
     * Locks a folder for a training, made where there is none.
     *
     * @param say hears what is said aloud
     * @throws CalmException bad input: a file or a checkpoint in the way that no training of ours wrote; failed: another process writes there
     */
    public static OutputFolder open(Path output, Consumer<String> say) {
        OutputFolder folder = OutputFolder.open(output, say);
        try {
            List<Path> there = written(output);
            if (!folder.hasRecord() && isOld(output)) {
                folder.adopt(there);
            }
            for (Path each : there) {
                Path changed = Checkpoint.isNamed(each) && folder.wrote(each) ? folder.foreign(each) : null;
                if (changed != null) {
                    throw Checkpoint.damaged(each, changed);
                }
            }
            folder.refuseForeign(there);
            folder.grows(output.resolve(METRICS));
            return folder;
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    /** What is there under a name that a training may write. */
    private static List<Path> written(Path output) {
        try (Stream<Path> files = Files.list(output)) {
            return files.filter(file -> {
                        String name = file.getFileName().toString();
                        return name.equals(METRICS)
                                || name.equals(CONFIG)
                                || Checkpoint.isNamed(file)
                                || ModelFolder.isSaved(name);
                    })
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw CalmException.unreadable(output, e);
        }
    }

    /** Whether an earlier version of the program, which kept no record, trained there: its settings say so. */
    private static boolean isOld(Path output) {
        Path config = output.resolve(CONFIG);
        if (!Files.isRegularFile(config, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        JsonNode settings = Json.read(config, JsonNode.class);
        return COMMANDS.contains(settings.path("command").asText())
                && settings.path("steps").isInt()
                && settings.path("seed").isNumber();
    }
}
