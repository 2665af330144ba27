package org.calm4j.calm.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.calm4j.calm.run.Fingerprint;
import org.calm4j.calm.run.PartialLines;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.run.StagePlan;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputFolder;

/**
 * Which stages of an experiment are done, and with what: a stage with the inputs and settings of last time is not run again, and
 * results of different runs are never mixed. Kept in {@code .stages} below the experiment's folder.
 */
public final class StageLedger {
    /**
     * @param inputs hashes, in the stage's order
     * @param done whether it is; false while it is under way
     * @param seconds it took, where an earlier version of the program kept them here
     * @param devices it ran on: more than one if it was stopped and continued on another
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    private record Entry(JsonNode settings, List<String> inputs, Boolean done, Double seconds, Set<String> devices) {
        Entry {
            done = done == null ? seconds != null : done;
            devices = devices == null ? Set.of() : devices;
        }

        Entry finished() {
            return new Entry(settings, inputs, true, null, devices);
        }
    }

    /**
     * @param why it is not done; null where it is
     * @param missing an input that neither exists nor will be made; null without one
     * @param inTheWay what is in the place of an output but was not made by this experiment; null without
     * @param seconds it took last time; null where that is not known
     */
    public record Planned(
            String name,
            String why,
            Path missing,
            @JsonProperty("in_the_way") Path inTheWay,
            Double seconds) {
        /** The same of one of several experiments. */
        public Planned in(String experiment) {
            return new Planned(experiment + "/" + name, why, missing, inTheWay, seconds);
        }

        /** Whether it can run. */
        public boolean isPossible() {
            return missing == null && inTheWay == null;
        }

        @Override
        public String toString() {
            return name + ": " + (why == null ? "done" : (isPossible() ? "would run, " : "cannot run, ") + why);
        }
    }

    private final OutputFolder output;
    private final Path folder;
    private final Path timings;
    private final Progress progress;
    private final String device;
    private final Set<String> devices = new LinkedHashSet<>();
    private final Map<String, Double> seconds = new LinkedHashMap<>();

    /**
     * @param output the experiment's folder
     * @param device what stages run on now, as described by {@link org.calm4j.calm.run.SameOnAll#device}
     */
    StageLedger(Path experiment, OutputFolder output, Progress progress, String device) {
        this.output = output;
        folder = experiment.resolve(StagePlan.FOLDER);
        timings = experiment.resolve(StagePlan.TIMINGS);
        this.progress = progress;
        this.device = device;
    }

    /**
     * Adopts the files of stages that an earlier version of the program began, which kept no record of its files.
     *
     * @param results files that the experiment writes besides its stages
     */
    void adopt(List<Stage> stages, List<Path> results) {
        if (output.hasRecord()) {
            return;
        }
        List<Path> own = new ArrayList<>();
        stages.stream().filter(stage -> last(stage) != null).forEach(stage -> own.addAll(stage.outputs()));
        if (!own.isEmpty()) {
            own.addAll(results);
            output.adopt(own);
        }
    }

    /** What would run, and why; nothing is changed. */
    List<Planned> plan(List<Stage> stages) {
        List<Planned> plan = new ArrayList<>();
        Set<Path> made = new HashSet<>();
        Set<Path> ahead = new HashSet<>();
        stages.forEach(stage -> ahead.add(stage.output()));
        for (Stage stage : stages) {
            Entry last = last(stage);
            Path anew =
                    stage.inputs().stream().filter(made::contains).findFirst().orElse(null);
            Path missing = stage.inputs().stream()
                    .filter(input -> ahead.stream().noneMatch(input::startsWith) && !Files.exists(input))
                    .findFirst()
                    .orElse(null);
            boolean waits = stage.inputs().stream().anyMatch(input -> !Files.exists(input));
            String why = missing != null
                    ? missing + " is missing"
                    : last == null
                            ? "has not run"
                            : anew != null
                                    ? anew.getFileName() + " is made again"
                                    : waits ? "its inputs are made again" : why(stage, last, entry(stage, Set.of()));
            Path inTheWay = why == null
                    ? null
                    : Stream.concat(
                                    stage.outputs().stream().map(output::foreign),
                                    Stream.of(stage.output()).map(PartialLines::foreign))
                            .filter(Objects::nonNull)
                            .findFirst()
                            .orElse(null);
            if (inTheWay != null && missing == null) {
                why = inTheWay + " " + OutputFolder.inTheWay(inTheWay);
            }
            if (why != null) {
                made.add(stage.output());
            }
            plan.add(new Planned(stage.name(), why, missing, inTheWay, seconds(stage, last)));
        }
        return plan;
    }

    /** Runs what is not done, in order. */
    void run(List<Stage> stages) {
        output.grows(timings);
        StagePlan.write(folder.getParent(), stages.stream().map(Stage::name).toList());
        for (int i = 0; i < stages.size(); i++) {
            progress.mayStop("stopped before stage " + stages.get(i).name());
            run(stages.get(i), (i + 1) + "/" + stages.size());
        }
    }

    private void run(Stage stage, String place) {
        Entry last = last(stage);
        Entry now = entry(stage, Set.of(device));
        String why = last == null ? "has not run" : why(stage, last, now);
        if (why == null) {
            if (seconds(stage, last) != null) {
                seconds.put(stage.name(), seconds(stage, last));
            }
            devices.addAll(last.devices());
            progress.say("[" + place + "] " + stage.name() + ": done before");
            return;
        }
        progress.say("[" + place + "] " + stage.name() + (last == null ? "" : ": " + why));
        boolean resume = isSame(last, now) && !last.done();
        if (resume) {
            Set<String> both = new LinkedHashSet<>(last.devices());
            both.add(device);
            now = new Entry(now.settings(), now.inputs(), false, null, both);
        } else {
            output.delete(stage.output());
            PartialLines.delete(stage.output());
        }
        Json.write(file(stage), now);
        long start = System.nanoTime();
        stage.work().run(resume);
        double took = (System.nanoTime() - start) * 1e-9;
        seconds.put(stage.name(), took);
        devices.addAll(now.devices());
        writeTiming(stage.name(), took);
        Json.write(file(stage), now.finished());
    }

    /** Seconds by stage; empty if nothing is known. */
    static Map<String, Double> read(Path timings) {
        Map<String, Double> seconds = new LinkedHashMap<>();
        if (Files.exists(timings)) {
            Json.read(timings, JsonNode.class)
                    .properties()
                    .forEach(stage ->
                            seconds.put(stage.getKey(), stage.getValue().asDouble()));
        }
        return seconds;
    }

    private void writeTiming(String stage, double took) {
        Map<String, Double> all = read(timings);
        all.put(stage, took);
        Json.write(timings, all);
    }

    private Double seconds(Stage stage, Entry last) {
        return last != null && last.seconds() != null
                ? last.seconds()
                : read(timings).get(stage.name());
    }

    /** The devices that the stages ran on, in their order, each once; not the current device. */
    String devices() {
        return devices.isEmpty() ? device : String.join("; ", devices);
    }

    /** Seconds by stage, in the order of the stages, including those done before. */
    Map<String, Double> seconds() {
        return seconds;
    }

    private Path file(Stage stage) {
        return folder.resolve(stage.name() + ".json");
    }

    private Entry last(Stage stage) {
        Path file = file(stage);
        if (!Files.exists(file)) {
            return null;
        }
        Entry entry = Json.read(file, Entry.class);
        // Another version of the program wrote it otherwise.
        return entry.settings() == null || entry.inputs() == null ? null : entry;
    }

    private static Entry entry(Stage stage, Set<String> devices) {
        // Through text, so that numbers compare as they do when read back.
        try {
            return new Entry(
                    Json.mapper().readTree(Json.compact(stage.settings())),
                    stage.inputs().stream().map(Fingerprint::of).toList(),
                    false,
                    null,
                    devices);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean isSame(Entry last, Entry now) {
        return last != null
                && last.settings().equals(now.settings())
                && last.inputs().equals(now.inputs());
    }

    /** Null where the stage is done. */
    private static String why(Stage stage, Entry last, Entry now) {
        if (!last.settings().equals(now.settings())) {
            return "settings changed" + difference("", last.settings(), now.settings());
        }
        if (last.inputs().size() != now.inputs().size()) {
            return "has other inputs";
        }
        for (int i = 0; i < now.inputs().size(); i++) {
            if (!last.inputs().get(i).equals(now.inputs().get(i))) {
                return stage.inputs().get(i).getFileName() + " changed";
            }
        }
        if (!last.done()) {
            return "was stopped, goes on";
        }
        return Files.exists(stage.output()) ? null : stage.output().getFileName() + " is gone";
    }

    /** The first value that differs, as {@code : sample.temperature 1.0 → 0.8}. */
    private static String difference(String name, JsonNode last, JsonNode now) {
        if (last.isContainerNode() && now.isContainerNode() && last.isArray() == now.isArray()) {
            Set<String> names = new LinkedHashSet<>();
            last.fieldNames().forEachRemaining(names::add);
            now.fieldNames().forEachRemaining(names::add);
            for (String field : names) {
                if (!Objects.equals(last.get(field), now.get(field))) {
                    return difference(name.isEmpty() ? field : name + "." + field, last.path(field), now.path(field));
                }
            }
            Iterator<JsonNode> olds = last.elements();
            Iterator<JsonNode> news = now.elements();
            while (olds.hasNext() && news.hasNext()) {
                JsonNode one = olds.next();
                JsonNode other = news.next();
                if (!one.equals(other)) {
                    return difference(name, one, other);
                }
            }
        }
        String was = last.isMissingNode() ? "none" : last.toString();
        String is = now.isMissingNode() ? "none" : now.toString();
        return was.length() + is.length() > 80
                ? name.isEmpty() ? "" : ": " + name
                : ": " + (name.isEmpty() ? "" : name + " ") + was + " → " + is;
    }
}
