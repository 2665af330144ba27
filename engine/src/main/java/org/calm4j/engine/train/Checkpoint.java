package org.calm4j.engine.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.optim.OptimizerState;
import org.calm4j.engine.train.optim.Schedule;

/**
 * A folder {@code checkpoint-N} with all that a run needs to continue bit for bit as if it had never stopped: the model as it would be
 * saved, what the optimizer keeps, and the counters. It appears whole or not at all.
 */
public final class Checkpoint {
    static final String PREFIX = "checkpoint-";
    private static final Pattern NAME = Pattern.compile(PREFIX + "(\\d{1,9})");
    private static final String STATE = "trainer_state.json";
    private static final String OPTIMIZER = "optimizer.safetensors";
    /** The weights of a reference that follows. */
    private static final String REFERENCE = "reference.safetensors";

    /** Trained weights that are not those of the saved model. */
    private static final String WEIGHT = "weight.";

    private static final String AVERAGE = "ema.";

    /**
     * @param step steps taken
     * @param skipped null if none were
     * @param optimizer numbers that it remembers; null where it has none
     * @param settings the settings that decide what the steps compute
     * @param inputs digests of the files that settings name; null in checkpoints of earlier versions
     * @param schedule null in checkpoints of earlier versions
     * @param observer what it remembers; null without one
     * @param evaluation null where nothing follows from evaluations
     */
    private record State(
            @JsonProperty("global_step") int step,
            @JsonProperty("num_tokens") long numTokens,

            @JsonProperty("skipped_steps") @JsonInclude(JsonInclude.Include.NON_NULL)
            SkippedSteps skipped,

            @JsonInclude(JsonInclude.Include.NON_NULL) Map<String, Double> optimizer,

            Map<String, Object> settings,
            Map<String, String> inputs,
            Schedule schedule,

            @JsonInclude(JsonInclude.Include.NON_NULL) Map<String, Double> observer,

            @JsonInclude(JsonInclude.Include.NON_NULL) BestModel evaluation) {}

    /** A run as far as it came. */
    record Taken(int steps, BestModel best) {
        static final Taken NOTHING = new Taken(0, BestModel.NONE);

        Taken after(StepLog step, EvaluationPlan plan) {
            boolean counts = plan.decides() && step.evalLoss() != null;
            return new Taken(step.step(), counts ? best.after(plan, step.step(), plan.value(step)) : best);
        }
    }

    private Checkpoint() {}

    static boolean isNamed(Path file) {
        return NAME.matcher(file.getFileName().toString()).matches();
    }

    /** The folders of an output that are checkpoints. */
    public static List<Path> all(Path output) {
        try (Stream<Path> files = Files.list(output)) {
            return files.filter(file -> isNamed(file) && Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw CalmException.failed(output + ": " + e.getMessage(), e);
        }
    }

    /** The folder {@code checkpoint-N} with the largest N below the output folder; null when there is none. */
    public static Path newest(Path output) {
        return newest(output, Integer.MAX_VALUE);
    }

    /** The same with N at most {@code most}. */
    static Path newest(Path output, int most) {
        if (!Files.isDirectory(output)) {
            return null;
        }
        Path newest = null;
        int newestStep = -1;
        try (Stream<Path> files = Files.list(output)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Matcher matcher = NAME.matcher(file.getFileName().toString());
                if (matcher.matches()
                        && Integer.parseInt(matcher.group(1)) > newestStep
                        && Integer.parseInt(matcher.group(1)) <= most
                        && Files.exists(file.resolve(STATE))) {
                    newest = file;
                    newestStep = Integer.parseInt(matcher.group(1));
                }
            }
        } catch (IOException e) {
            throw CalmException.failed(output + ": " + e.getMessage(), e);
        }
        return newest;
    }

    /** Steps that the newest one has taken, of those with at most {@code most}; 0 without one. */
    public static int taken(Path output, int most) {
        Path newest = newest(output, most);
        return newest == null ? 0 : step(newest);
    }

    /** @throws CalmException bad input: there are some, which a run that does not resume would write over */
    public static void refuse(Path output) {
        if (newest(output) != null) {
            throw CalmException.badInput(
                    output,
                    "has checkpoints of an earlier run; continue with ",
                    Setting.of("resume"),
                    ", or choose another ",
                    Setting.OUTPUT);
        }
    }

    /** The step of a folder {@code checkpoint-N}. */
    static int step(Path checkpoint) {
        Matcher matcher = NAME.matcher(checkpoint.getFileName().toString());
        if (!matcher.matches()) {
            throw new IllegalArgumentException(checkpoint.toString());
        }
        return Integer.parseInt(matcher.group(1));
    }

    /** The parts of a step that the newest checkpoint below an output was made in; 0 where there is none. */
    public static int parts(Path output) {
        Path newest = newest(output);
        if (newest == null) {
            return 0;
        }
        Object parts =
                whole(newest, () -> read(newest.resolve(STATE))).settings().get(Division.PARTS);
        return parts instanceof Integer number && Division.isParts(number) ? number : 1;
    }

    /** The folder of a step's checkpoint below an output. */
    static Path folder(Path output, int step) {
        return output.resolve(PREFIX + step);
    }

    static void save(Path to, Taken taken, Trainer trainer, RunIdentity run, ModelWriter writer) {
        AtomicFile.folder(to, folder -> {
            // Rounded weights would not give the same bits afterwards.
            trainer.asModel(() -> writer.write(folder, trainer.backend().computeType()));
            OptimizerState optimizer = trainer.trained().optimizer();
            List<Tensor> moments = new ArrayList<>(optimizer.saved());
            if (trainer.trained().savesOtherwise()) {
                rename(moments, WEIGHT, trainer.trained().weights());
            }
            if (trainer.trained().average() != null) {
                rename(moments, AVERAGE, trainer.trained().average().slab());
            }
            Safetensors.write(folder.resolve(OPTIMIZER), moments, Map.of("format", "pt"));
            if (trainer.synced() != null) {
                Safetensors.write(
                        folder.resolve(REFERENCE), trainer.synced().slab().tensors(), Map.of("format", "pt"));
            }
            Map<String, Double> observed = trainer.observer().state();
            Map<String, Double> state = observed.isEmpty() ? null : observed;
            Json.write(
                    folder.resolve(STATE),
                    new State(
                            taken.steps(),
                            trainer.numTokens(),
                            skipped(trainer),
                            optimizer.numbers().isEmpty() ? null : optimizer.numbers(),
                            run.settings(),
                            run.inputs(),
                            run.schedule(),
                            state,
                            taken.best().equals(BestModel.NONE) ? null : taken.best()));
        });
    }

    private static SkippedSteps skipped(Trainer trainer) {
        return trainer.skipped().all() == 0 ? null : trainer.skipped();
    }

    private static void rename(List<Tensor> to, String prefix, Slab from) {
        for (Tensor tensor : from.tensors()) {
            to.add(new Tensor(prefix + tensor.name(), tensor.buffer(), tensor.offset(), tensor.type(), tensor.shape()));
        }
    }

    /**
     * Puts a trainer into the state of a checkpoint.
     *
     * @param run that it must be of; null for any whose trained weights and moments are of the same sizes
     * @throws CalmException bad input: the checkpoint was made with other settings or other files, or is broken
     */
    static Taken load(Path checkpoint, Trainer trainer, RunIdentity run, String weightsFile) {
        if (run == null) {
            State state = whole(checkpoint, () -> read(checkpoint.resolve(STATE)));
            return fill(checkpoint, trainer, state, weightsFile);
        }
        State state = checked(checkpoint, run);
        return whole(checkpoint, () -> fill(checkpoint, trainer, state, weightsFile));
    }

    /**
     * Finds before anything is computed whether a run can go on from the newest checkpoint below its output, if there is one.
     *
     * @throws CalmException bad input: it was made with other settings or other files, or is broken
     */
    public static void checkContinues(Path output, RunIdentity run) {
        Path newest = newest(output);
        if (newest != null) {
            checked(newest, run);
        }
    }

    private static State checked(Path checkpoint, RunIdentity run) {
        Path file = checkpoint.resolve(STATE);
        State state = whole(checkpoint, () -> read(file));
        run.checkContinues(
                file,
                new RunIdentity(state.settings(), state.inputs(), state.schedule(), Set.of(), Set.of()),
                state.step());
        return state;
    }

    private static Taken fill(Path checkpoint, Trainer trainer, State state, String weightsFile) {
        loadWeights(checkpoint, trainer, weightsFile);
        loadOptimizer(checkpoint, trainer, state);
        if (trainer.trained().average() != null) {
            Slab average = trainer.trained().average().slab();
            fill(average, name -> AVERAGE + name, checkpoint.resolve(OPTIMIZER), trainer);
        }
        if (trainer.synced() != null) {
            fill(trainer.synced().slab(), name -> name, checkpoint.resolve(REFERENCE), trainer);
        }
        trainer.numTokens(state.numTokens());
        trainer.skipped(state.skipped() == null ? SkippedSteps.NONE : state.skipped());
        trainer.observer().resume(state.observer() == null ? Map.of() : state.observer());
        return new Taken(state.step(), state.evaluation() == null ? BestModel.NONE : state.evaluation());
    }

    /** Puts the model of a checkpoint into a trainer, to be written: the counters stay. */
    static void loadModel(Path checkpoint, Trainer trainer, String weightsFile) {
        loadWeights(checkpoint, trainer, weightsFile);
        if (trainer.trained().optimizer().trainsOtherWeights()) {
            loadOptimizer(checkpoint, trainer, whole(checkpoint, () -> read(checkpoint.resolve(STATE))));
        }
    }

    private static void loadWeights(Path checkpoint, Trainer trainer, String weightsFile) {
        Trained trained = trainer.trained();
        if (trained.savesOtherwise()) {
            fill(trained.weights(), name -> WEIGHT + name, checkpoint.resolve(OPTIMIZER), trainer);
        } else {
            fill(trained.weights(), trained::savedName, checkpoint.resolve(weightsFile), trainer);
        }
        trained.changed();
    }

    /**
     * Deletes what no longer needs to be kept: all checkpoints but the newest {@code most} and that of the best model.
     *
     * @param most 0 for any number
     */
    static void keep(Path output, int most, BestModel best) {
        List<Path> byStep = all(output).stream()
                .sorted(Comparator.comparingInt(Checkpoint::step))
                .toList();
        if (most > 0 && byStep.size() > most) {
            byStep.subList(0, byStep.size() - most).stream()
                    .filter(checkpoint -> !best.isOf(step(checkpoint)))
                    .forEach(AtomicFile::deleteFolder);
        }
    }

    private static State read(Path file) {
        State state = Json.read(file, State.class);
        if (state.settings() == null) {
            throw CalmException.badInput(file, "was written by another program: settings is missing");
        }
        if (!file.getParent().equals(folder(file.getParent().getParent(), state.step()))) {
            throw CalmException.badInput(file, "global_step is " + state.step() + ", not that of the folder's name");
        }
        return state;
    }

    /** What is read from a checkpoint; an error says how to go on without it. */
    private static <T> T whole(Path checkpoint, Supplier<T> read) {
        try {
            return read.get();
        } catch (CalmException e) {
            throw remedied(e, checkpoint);
        }
    }

    private static CalmException remedied(CalmException what, Path checkpoint) {
        return what.as(CalmException.Kind.BAD_INPUT)
                .within(
                        "",
                        "\nThe checkpoint is damaged: remove the folder " + checkpoint.getFileName() + ", and ",
                        Setting.of("resume"),
                        " continues from the one before it, or from the start.");
    }

    /** The error for a checkpoint file that was changed after we wrote it, with the remedy. */
    static CalmException damaged(Path checkpoint, Path changed) {
        CalmException what = CalmException.badInput(changed, "is not what was written there");
        try {
            if (changed.endsWith(STATE)) {
                Json.read(changed, State.class);
            } else if (changed.toString().endsWith(".json")) {
                Json.read(changed, JsonNode.class);
            } else if (changed.toString().endsWith(".safetensors")) {
                Safetensors.open(changed).close();
            }
        } catch (CalmException e) {
            what = e;
        }
        return remedied(what, checkpoint);
    }

    private static void loadOptimizer(Path checkpoint, Trainer trainer, State state) {
        OptimizerState optimizer = trainer.trained().optimizer();
        Map<String, Double> numbers = state.optimizer() == null ? Map.of() : state.optimizer();
        if (!numbers.keySet().equals(optimizer.numbers().keySet())
                || numbers.values().stream().anyMatch(Objects::isNull)) {
            throw CalmException.badInput(
                    checkpoint.resolve(STATE),
                    "optimizer has " + numbers + ", expected "
                            + optimizer.numbers().keySet());
        }
        Path file = checkpoint.resolve(OPTIMIZER);
        try (Safetensors tensors = Safetensors.open(file)) {
            optimizer.load(trainer.backend(), (name, size) -> of(tensors, name, size, file), numbers);
        }
    }

    private static void fill(Slab slab, UnaryOperator<String> nameInFile, Path file, Trainer trainer) {
        try (Safetensors tensors = Safetensors.open(file)) {
            for (Tensor to : slab.tensors()) {
                trainer.backend().copy(to, of(tensors, nameInFile.apply(to.name()), to.size(), file));
            }
        }
    }

    private static Tensor of(Safetensors tensors, String name, long size, Path file) {
        Tensor tensor = tensors.tensors().get(name);
        if (tensor == null || tensor.size() != size) {
            throw CalmException.badInput(file, "tensor " + name + " is missing or has another size");
        }
        return tensor;
    }
}
