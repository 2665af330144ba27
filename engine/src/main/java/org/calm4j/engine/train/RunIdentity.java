package org.calm4j.engine.train;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.train.optim.Schedule;

/**
 * All that decides what the steps of a run compute, which a run that is resumed must not change: then it ends as if it had never been
 * stopped.
 *
 * @param settings by name
 * @param inputs digests of the files and folders that settings name, by the setting's name: their content counts, not their names
 * @param schedule the learning rate of each step
 * @param ofSchedule settings that act through the schedule and the number of steps alone: they may change where the learning rates of the
 *     steps taken stay what they were
 * @param free settings that do not touch the arithmetic
 */
public record RunIdentity(
        Map<String, Object> settings,
        Map<String, String> inputs,
        Schedule schedule,
        Set<String> ofSchedule,
        Set<String> free) {

    /**
     * @param file that the other was read from
     * @param then of the run so far; its schedule and inputs are null in checkpoints of earlier versions
     * @param taken its steps
     * @throws CalmException bad input: something differs, with both values
     */
    void checkContinues(Path file, RunIdentity then, int taken) {
        checkInputs(file, then);
        Set<String> scheduled = then.schedule == null ? Set.of() : ofSchedule;
        String differing = differing(then).stream()
                .filter(name -> !scheduled.contains(name) && !free.contains(name))
                .map(name -> name + " " + text(then.settings.get(name)) + ", now it is " + text(settings.get(name)))
                .collect(Collectors.joining("; with "));
        if (!differing.isEmpty()) {
            throw CalmException.badInput(
                    file,
                    "made with " + differing + "; resume with the same settings, or start again in another ",
                    Setting.OUTPUT);
        }
        if (then.schedule != null) {
            checkRates(file, then, taken);
        }
    }

    /** Newer settings are left out where nothing was said. */
    private static Object text(Object value) {
        return value == null ? "its default" : value;
    }

    private void checkInputs(Path file, RunIdentity then) {
        Map<String, String> digests = then.inputs == null ? Map.of() : then.inputs;
        for (String name : new TreeSet<>(digests.keySet())) {
            if (inputs.containsKey(name) && !inputs.get(name).equals(digests.get(name))) {
                Object now = settings.get(name);
                Object before = then.settings.get(name);
                boolean renamed = now != null && before != null && !isSame(now, before);
                throw CalmException.badInput(
                        file,
                        "made with " + name + " " + before
                                + (renamed
                                        ? ", now it is " + now + " with other content"
                                        : ", whose content has changed since")
                                + "; resume with the same files, or start again in another ",
                        Setting.OUTPUT);
            }
        }
    }

    private void checkRates(Path file, RunIdentity then, int taken) {
        for (int step = 0; step < taken; step++) {
            double before = then.schedule.learningRate(step);
            double now = schedule.learningRate(step);
            if (before != now) {
                List<String> changes = new ArrayList<>();
                for (String name : differing(then)) {
                    if (ofSchedule.contains(name)) {
                        changes.add(name + " " + then.settings.get(name) + " → " + settings.get(name));
                    }
                }
                throw CalmException.badInput(
                        file,
                        "step " + (step + 1) + " was taken at learning rate " + before + " (" + then.schedule.kind()
                                + "), now it would be " + now + " (" + schedule.kind() + "): "
                                + String.join(", ", changes)
                                + "\nResume with the same schedule, or start again in another ",
                        Setting.OUTPUT,
                        ". A run of ",
                        Setting.of("lr_scheduler").at(Schedule.Kind.CONSTANT),
                        " can be made longer.");
            }
        }
    }

    /** Names of settings that differ, in order; the name of a file does not matter where its content is known. */
    private Set<String> differing(RunIdentity then) {
        Set<String> names = new TreeSet<>(settings.keySet());
        names.addAll(then.settings.keySet());
        names.removeIf(name -> isSame(settings.get(name), then.settings.get(name))
                || inputs.containsKey(name) && then.inputs != null && then.inputs.containsKey(name));
        return names;
    }

    /** One of them was read back from JSON. */
    private static boolean isSame(Object now, Object then) {
        return Objects.equals(String.valueOf(now), String.valueOf(then));
    }
}
