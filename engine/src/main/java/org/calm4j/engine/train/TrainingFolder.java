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
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.train.division.Division;

/** The output folder of a training run, which must not overwrite files of the user. */
public final class TrainingFolder {
    public static final String METRICS = "metrics.jsonl";
    public static final String CONFIG = "train_config.json";
    /** What the model said to fixed prompts on the way, where that was wanted. */
    public static final String GENERATIONS = "generations.jsonl";

    /** A model with the moving average of the weights, where that was wanted. */
    public static final String AVERAGE = "ema";

    private static final Set<String> COMMANDS = Set.of("dpo", "sft", "pretrain", "grpo");

    private TrainingFolder() {}

    /**
     * Locks the folder of a training run, creating it where it is missing.
     *
     * @param say receives warnings
     * @throws CalmException bad input: a file or checkpoint in the way that none of our training runs wrote; failed: another process writes there
     */
    public static OutputFolder open(Path output, Consumer<String> say) {
        OutputFolder folder = OutputFolder.open(output, say);
        try {
            AtomicFile.deleteLeft(output, Checkpoint.PREFIX);
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
            for (String name : List.of(METRICS, GENERATIONS)) {
                folder.grows(output.resolve(name));
                Jsonl.dropHalfLine(output.resolve(name));
            }
            return folder;
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    /**
     * Removes what the folder still has of an earlier run that a finished one replaced: a model beside a new adapter, an adapter beside a new
     * model, an average that the new run does not keep.
     */
    public static void removeReplaced(OutputFolder folder, Path output, boolean adapter, boolean average) {
        for (Path file : written(output)) {
            String name = file.getFileName().toString();
            boolean other = ModelFolder.isSaved(name) && name.startsWith("adapter_") != adapter;
            if (other || !average && name.equals(AVERAGE)) {
                folder.delete(file);
            }
        }
    }

    /** The parts of a step by the settings of the run that was last begun in a folder; 0 where there was none. */
    public static int parts(Path output) {
        Path config = output.resolve(CONFIG);
        if (!Files.isRegularFile(config)) {
            return 0;
        }
        int parts = Json.read(config, JsonNode.class).path(Division.PARTS).asInt(0);
        return Division.isParts(parts) ? parts : 0;
    }

    /** Existing files under names that a training run may write. */
    private static List<Path> written(Path output) {
        try (Stream<Path> files = Files.list(output)) {
            return files.filter(file -> {
                        String name = file.getFileName().toString();
                        return name.equals(METRICS)
                                || name.equals(GENERATIONS)
                                || name.equals(CONFIG)
                                || name.equals(AVERAGE)
                                || Checkpoint.isNamed(file)
                                || ModelFolder.isSaved(name);
                    })
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw CalmException.unreadable(output, e);
        }
    }

    /** Whether an earlier version of the program, which kept no record, trained there, by its settings file. */
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
