package org.calm4j.calm.run;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.io.Json;

/** Where an experiment keeps which stages it has, for whoever looks at it while it runs. */
public final class StagePlan {
    /** Below the experiment's folder: a file a stage, with its settings and whether it is done. */
    public static final String FOLDER = ".stages";
    /** The seconds of each stage, in the experiment's folder: the only file that differs from run to run. */
    public static final String TIMINGS = "timings.json";
    // The name of a stage does not begin with a dot.
    private static final String ORDER = ".order.json";

    private static final int MOST_BYTES = 1 << 20;

    private StagePlan() {}

    /** Keeps the names of all stages, in their order. */
    public static void write(Path experiment, List<String> stages) {
        Json.write(experiment.resolve(FOLDER).resolve(ORDER), stages);
    }

    /** The names of all stages; empty where none were kept. */
    public static List<String> read(Path experiment) {
        Path file = experiment.resolve(FOLDER).resolve(ORDER);
        List<String> names = new ArrayList<>();
        try {
            if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && Files.size(file) <= MOST_BYTES) {
                for (JsonNode name : Json.mapper().readTree(Files.readAllBytes(file))) {
                    if (name.asText().matches("[\\w-][\\w.-]*")) {
                        names.add(name.asText());
                    }
                }
            }
        } catch (IOException e) {
            // Somebody else's file.
        }
        return names;
    }
}
