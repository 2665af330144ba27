package org.calm4j.calm.watch;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.calm.run.StagePlan;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputLock;

/** What is in the folders that are watched, by the names that runs and experiments give their files. Links are not followed. */
final class Watched {
    private static final int DEPTH = 4;
    private static final int MOST_FILES = 200;
    private static final int MOST_CONFIG_BYTES = 1 << 20;

    private static final String METRICS = "metrics.jsonl";
    private static final String REPORT = "report.html";
    private static final List<String> KINDS = List.of("generations", "samples", "votes", "pairs");

    /**
     * @param steps that it is to take; null where that is not known
     */
    record Run(String name, String command, Integer steps) {}

    /** @param kind what its lines are: generations, samples, votes or pairs */
    record Lines(String name, String kind, long bytes) {}

    /** @param begun milliseconds since 1970, of a stage under way */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Stage(String name, String state, Double seconds, Long begun) {}

    record Experiment(String name, List<Stage> stages) {}

    /**
     * @param running whether a process writes to one of the folders
     * @param resident bytes of that process in memory, where the system tells
     * @param changed when one of the files was last written, in milliseconds since 1970
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record State(
            List<String> folders,
            boolean running,
            Long resident,
            long changed,
            List<Experiment> experiments,
            List<Run> runs,
            List<Lines> lines,
            List<String> reports) {}

    private final List<Path> roots;
    private final Map<String, Path> files = new LinkedHashMap<>();

    /** @param folders some may not be there yet */
    Watched(List<Path> folders) {
        roots = folders.stream()
                .map(folder -> folder.toAbsolutePath().normalize())
                .toList();
    }

    /** @throws CalmException bad input: one of these is not a folder */
    static Watched existing(List<Path> folders) {
        for (Path folder : folders) {
            if (!Files.isDirectory(folder)) {
                throw CalmException.badInput(
                        folder, Files.exists(folder) ? "is not a folder; give the output of a run" : "no such folder");
            }
        }
        return new Watched(folders);
    }

    /** The file of a name in the last state; null without one. */
    synchronized Path file(String name) {
        return files.get(name);
    }

    synchronized State look() {
        Map<String, Path> found = new LinkedHashMap<>();
        Map<String, Path> experiments = new TreeMap<>();
        long[] changed = {0};
        for (Path root : roots) {
            if (!Files.isDirectory(root)) {
                continue;
            }
            try {
                // The folder itself may be a link; what is in it may not.
                Path real = root.toRealPath();
                Files.walkFileTree(
                        real, EnumSet.noneOf(java.nio.file.FileVisitOption.class), DEPTH, new SimpleFileVisitor<>() {
                            @Override
                            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                                String name = String.valueOf(folder.getFileName());
                                if (name.equals(StagePlan.FOLDER)) {
                                    experiments.put(name(root, real, folder.getParent()), folder.getParent());
                                }
                                boolean entered =
                                        folder.equals(real) || !name.startsWith(".") && !name.startsWith("checkpoint-");
                                return entered ? FileVisitResult.CONTINUE : FileVisitResult.SKIP_SUBTREE;
                            }

                            @Override
                            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                                if (attributes.isRegularFile()
                                        && isShown(file.getFileName().toString())
                                        && found.size() < MOST_FILES) {
                                    found.put(name(root, real, file), file);
                                    changed[0] = Math.max(
                                            changed[0],
                                            attributes.lastModifiedTime().toMillis());
                                }
                                return FileVisitResult.CONTINUE;
                            }

                            @Override
                            public FileVisitResult visitFileFailed(Path file, IOException e) {
                                return FileVisitResult.CONTINUE;
                            }
                        });
            } catch (IOException e) {
                // What has just gone is not there the next time either.
            }
        }
        files.clear();
        files.putAll(found);
        OutputLock.Holder holder = holder();
        return new State(
                roots.stream().map(Path::toString).toList(),
                holder != null,
                holder == null ? null : resident(holder.pid()),
                changed[0],
                experiments.entrySet().stream()
                        .map(each -> experiment(each.getKey(), each.getValue()))
                        .toList(),
                runs(found),
                lines(found),
                found.keySet().stream()
                        .filter(name -> name.endsWith(REPORT))
                        .sorted(Comparator.comparing(String::length))
                        .toList());
    }

    private static boolean isShown(String name) {
        return name.equals(METRICS) || name.equals(REPORT) || kind(name) != null;
    }

    /** Of a file of lines, or of what a run under way has of it; null for others. */
    private static String kind(String name) {
        String whole = name.startsWith(".") && name.endsWith(".jsonl.partial")
                ? name.substring(1, name.length() - ".partial".length())
                : name;
        return KINDS.stream()
                .filter(kind -> whole.equals(kind + ".jsonl") || whole.endsWith("-" + kind + ".jsonl"))
                .findFirst()
                .orElse(null);
    }

    /** With several folders the name begins with the folder's own. */
    private String name(Path root, Path real, Path file) {
        String below = real.relativize(file).toString().replace('\\', '/');
        if (roots.size() == 1) {
            return below;
        }
        long namesakes = roots.stream()
                .filter(each -> each.getFileName().equals(root.getFileName()))
                .count();
        return root.getFileName()
                + (namesakes > 1 ? " " + (roots.indexOf(root) + 1) : "")
                + (below.isEmpty() ? "" : "/" + below);
    }

    private List<Run> runs(Map<String, Path> found) {
        List<Run> runs = new ArrayList<>();
        found.forEach((name, file) -> {
            if (file.getFileName().toString().equals(METRICS)) {
                JsonNode config = small(file.resolveSibling("train_config.json"));
                runs.add(new Run(
                        name,
                        config.path("command").isTextual()
                                ? config.path("command").asText()
                                : null,
                        config.path("steps").isInt() ? config.path("steps").asInt() : null));
            }
        });
        return runs;
    }

    private static List<Lines> lines(Map<String, Path> found) {
        List<Lines> lines = new ArrayList<>();
        found.forEach((name, file) -> {
            String kind = kind(file.getFileName().toString());
            if (kind != null) {
                try {
                    lines.add(new Lines(name, kind, Files.size(file)));
                } catch (IOException e) {
                    // It was there a moment ago, and is in its final place now.
                }
            }
        });
        lines.sort(
                Comparator.comparing((Lines each) -> KINDS.indexOf(each.kind())).thenComparing(Lines::name));
        return lines;
    }

    private static Experiment experiment(String name, Path folder) {
        Path stages = folder.resolve(StagePlan.FOLDER);
        JsonNode timings = small(folder.resolve(StagePlan.TIMINGS));
        List<Stage> all = new ArrayList<>();
        for (String stage : StagePlan.read(folder)) {
            Path file = stages.resolve(stage + ".json");
            JsonNode entry = small(file);
            Double seconds =
                    timings.path(stage).isNumber() ? timings.path(stage).asDouble() : null;
            boolean done = entry.path("done").asBoolean();
            Long begun = entry.has("done") && !done ? modified(file) : null;
            all.add(new Stage(stage, done ? "done" : begun != null ? "begun" : "waits", seconds, begun));
        }
        return new Experiment(name, all);
    }

    /** In milliseconds since 1970; null where the file has gone. */
    private static Long modified(Path file) {
        try {
            return Files.getLastModifiedTime(file).toMillis();
        } catch (IOException e) {
            return null;
        }
    }

    /** A small JSON object; an empty one where there is none. */
    private static JsonNode small(Path file) {
        try {
            if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && Files.size(file) <= MOST_CONFIG_BYTES) {
                JsonNode node = Json.mapper().readTree(Files.readAllBytes(file));
                if (node != null && node.isObject()) {
                    return node;
                }
            }
        } catch (IOException e) {
            // Being replaced, or not JSON.
        }
        return Json.mapper().createObjectNode();
    }

    private OutputLock.Holder holder() {
        return roots.stream()
                .filter(Files::isDirectory)
                .map(OutputLock::holderOf)
                .filter(each -> each != null)
                .findFirst()
                .orElse(null);
    }

    /** As the system counts it; null where it does not tell. */
    private static Long resident(long pid) {
        try {
            return Files.readAllLines(Path.of("/proc", String.valueOf(pid), "status")).stream()
                    .filter(line -> line.startsWith("VmRSS:"))
                    .map(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                    .findFirst()
                    .orElse(null);
        } catch (IOException | NumberFormatException e) {
            return null;
        }
    }
}
