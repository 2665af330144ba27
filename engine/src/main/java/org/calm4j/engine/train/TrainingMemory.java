package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.model.LoraSettings;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.model.Scorer;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.optim.OptimizerMemory;

/**
 * What a training takes under its settings, and under others that take less.
 *
 * @param rank of the adapter; 0 where all weights are trained
 * @param magnitudes whether the adapter has them (DoRA)
 * @param frozen bytes of the model's weights as they are stored, which an adapter leaves or would leave as they are; 0 for a new model
 * @param fixed bytes that an adapter takes beside what is trained
 * @param weights shapes of what is trained, by name
 * @param reference bytes that a reference takes before the first step, for scoring pairs and for weights of its own; 0 without
 * @param synced bytes of a {@link SyncedReference}; 0 without
 * @param division among ranks
 */
public record TrainingMemory(
        Backend backend,
        ModelConfig config,
        int rank,
        boolean magnitudes,
        long frozen,
        long fixed,
        Map<String, long[]> weights,
        TrainingSizes sizes,
        long reference,
        long synced,
        Division division) {
    /** What an adapter is proposed with. */
    private static final int PROPOSED_RANK = 16;

    /** Share of the memory that an automatic choice fills. */
    private static final double FILLED = 0.8;

    private static final Setting CHECKPOINTING = Setting.of("gradient_checkpointing");
    private static final Setting MOMENTS = Setting.of("optimizer_memory");

    /** @param stored bytes of the model's weights as they are stored; 0 for a new model */
    public static TrainingMemory of(
            CausalLm model, long stored, TrainingSizes sizes, boolean scores, Division division) {
        Lora lora = model.lora();
        return new TrainingMemory(
                model.backend(),
                model.config(),
                model.loraRank(),
                lora != null && lora.hasMagnitudes(),
                lora == null ? stored : bytes(model.parameters()),
                lora == null ? 0 : lora.fixedBytes(),
                lora == null ? model.config().shapes() : lora.slab().shapes(),
                sizes,
                scores ? scoring(model.backend(), model.config(), sizes.lines()) : 0,
                0,
                division);
    }

    /**
     * With a {@link SyncedReference}, in the place of scoring pairs before the first step.
     *
     * @param start bytes of the weights that it begins with; 0 if these are the model's
     */
    public TrainingMemory following(long start) {
        return referring(start, trained() + (backend.keepsRounded() ? trained() / 2 : 0));
    }

    /**
     * With a reference of its own in the place of the model, in the memory that gradients and moments take later.
     *
     * @param other null where it has the model's weights, and an adapter
     * @param weights bytes of what it has of its own
     */
    public TrainingMemory referring(ModelConfig other, long weights) {
        return referring(scoring(backend, other == null ? config : other, sizes.lines()) + weights, synced);
    }

    private TrainingMemory referring(long reference, long synced) {
        return new TrainingMemory(
                backend, config, rank, magnitudes, frozen, fixed, weights, sizes, reference, synced, division);
    }

    private long trained() {
        return Slab.Plan.of(weights, backend.computeType()).bytes();
    }

    private static long scoring(Backend backend, ModelConfig config, LineSizes lines) {
        long all = lines.rows().intStream().asLongStream().sum();
        return Scorer.bytes(backend, config, lines.mostRows(), all, lines.scored(), lines.longest());
    }

    /** Of all weights of a model, without its activations, which is known before any line is read. */
    public static TrainingMemory ofWeights(Backend backend, ModelConfig config, long stored, Division division) {
        return new TrainingMemory(
                backend, config, 0, false, stored, 0, config.shapes(), TrainingSizes.NONE, 0, 0, division);
    }

    static long bytes(Parameters parameters) {
        return parameters.tensors().stream().mapToLong(Tensor::bytes).sum();
    }

    /** Bytes that there are: of the device, or of the machine. */
    public static long available(Backend backend) {
        return backend.memory() == null
                ? HostBuffer.machine()
                : backend.memory().total();
    }

    public MemoryPlan plan(TrainSettings settings) {
        return plan(settings, rank == 0 ? synced : frozen + fixed, weights, rank, magnitudes);
    }

    /** The same with a new adapter on all linear layers. */
    private MemoryPlan adapted(TrainSettings settings) {
        return plan(settings, frozen, Lora.shapes(config, proposed()), PROPOSED_RANK, false);
    }

    private LoraSettings proposed() {
        return new LoraSettings(
                PROPOSED_RANK, 2.0 * PROPOSED_RANK, 0, false, config.layout().projections(List.of("all-linear")));
    }

    private MemoryPlan plan(
            TrainSettings settings, long frozen, Map<String, long[]> weights, int rank, boolean magnitudes) {
        Activations.Purpose purpose =
                settings.gradientCheckpointing() ? Activations.Purpose.CHECKPOINTING : Activations.Purpose.TRAINING;
        Activations.Capacity most = sizes.capacity(settings);
        Activations.Capacity capacity =
                new Activations.Capacity(most.rows(), most.scored(), most.positions(), 0, rank, magnitudes);
        return MemoryPlan.of(
                        backend,
                        settings.update(),
                        config,
                        frozen,
                        weights,
                        Activations.bytes(backend, config, purpose, capacity),
                        reference,
                        rank == 0 ? 0 : MemoryPlan.copies(backend, config))
                .dividedBy(division);
    }

    /**
     * The most exact moments with which the training fits well; those that take least where none do.
     *
     * @param settings with the size of passes, the least if it may be chosen
     */
    public OptimizerMemory optimizerMemory(TrainSettings settings, long available) {
        List<OptimizerMemory> all = memories(settings);
        return all.stream()
                .filter(memory -> plan(settings.keeping(memory)).total() <= (long) (FILLED * available))
                .findFirst()
                .orElseGet(() -> Collections.min(all, Comparator.comparingLong(memory -> plan(settings.keeping(memory))
                        .total())));
    }

    private List<OptimizerMemory> memories(TrainSettings settings) {
        return settings.update().optimizer().memories(division.dividesMoments());
    }

    /** The most lines a pass with which the training fits well; 1 where none does. */
    public int microBatchSize(TrainSettings settings, long available) {
        int most = settings.batchSize() + settings.replayBatchSize();
        return largest(settings, settings.gradientCheckpointing(), most, (long) (FILLED * available));
    }

    private int largest(TrainSettings settings, boolean checkpointing, int most, long available) {
        int fits = 1;
        for (int least = 2, end = most; least <= end; ) {
            int middle = (least + end) / 2;
            if (plan(settings.inPasses(middle, checkpointing)).total() <= available) {
                fits = middle;
                least = middle + 1;
            } else {
                end = middle - 1;
            }
        }
        return fits;
    }

    /**
     * @throws CalmException failed: it does not fit; with the settings that would, and what each saves
     */
    public void check(TrainSettings settings, long available) {
        MemoryPlan plan = plan(settings);
        if (plan.total() <= available) {
            return;
        }
        List<Object> words = new ArrayList<>(List.of("training needs " + plan + "; "
                + (backend.onHost() ? "this machine has " : "the device has ") + MemoryPlan.gigabytes(available)));
        // Together they are of interest where none is enough alone.
        List<Way> ways = ways(settings, available).stream()
                .filter(way -> way.plan.total() < plan.total())
                .toList();
        List<Way> enough =
                ways.stream().filter(way -> way.plan.total() <= available).toList();
        int fewest = enough.stream().mapToInt(way -> way.settings.size()).min().orElse(0);
        enough = enough.stream().filter(way -> way.settings.size() == fewest).toList();
        if (!enough.isEmpty()) {
            words.add("\nIt fits with ");
            add(words, enough, plan);
        } else {
            if (!ways.isEmpty()) {
                words.add("\nNothing of this is enough, but it is less with ");
                add(words, ways, plan);
            }
            words.add("\nTake a smaller model or shorter lines, see ");
            words.add(Setting.of("max_length"));
        }
        throw CalmException.failed(words.toArray());
    }

    /** Other settings, and what the training takes with them. */
    private record Way(List<Setting> settings, MemoryPlan plan) {
        Way with(Setting another) {
            List<Setting> all = new ArrayList<>(settings);
            all.add(another);
            return new Way(all, plan);
        }
    }

    private static void add(List<Object> words, List<Way> ways, MemoryPlan plan) {
        for (int i = 0; i < ways.size(); i++) {
            Way way = ways.get(i);
            words.add(i == 0 ? "" : ", or ");
            for (Setting setting : way.settings) {
                words.add(setting);
                words.add(" ");
            }
            words.add(String.format(
                    Locale.ROOT,
                    "(%s, saves %s)",
                    MemoryPlan.gigabytes(way.plan.total()),
                    MemoryPlan.gigabytes(plan.total() - way.plan.total())));
        }
    }

    /** From those that change least to those that change most. */
    private List<Way> ways(TrainSettings settings, long available) {
        boolean recomputes = settings.gradientCheckpointing();
        int most = settings.microBatchSize() > 0
                ? settings.microBatchSize()
                : settings.batchSize() + settings.replayBatchSize();
        List<Way> ways = new ArrayList<>();
        if (!recomputes) {
            ways.add(new Way(List.of(CHECKPOINTING), plan(settings.inPasses(settings.microBatchSize(), true))));
        }
        ways.add(way(settings, largest(settings, recomputes, most, available), false));
        if (!recomputes) {
            ways.add(way(settings, largest(settings, true, most, available), true));
        }
        for (OptimizerMemory memory : memories(settings)) {
            ways.add(new Way(List.of(MOMENTS.at(memory)), plan(settings.keeping(memory))));
        }
        OptimizerMemory least = memories(settings).getLast();
        int lines = largest(settings.keeping(least), true, most, available);
        ways.add(way(settings.keeping(least), lines, true).with(MOMENTS.at(least)));
        if (rank == 0 && frozen > 0) {
            Setting adapter = Setting.of("lora_rank").at(PROPOSED_RANK);
            ways.add(new Way(List.of(adapter), adapted(settings)));
            ways.add(new Way(
                    List.of(
                            adapter,
                            CHECKPOINTING,
                            Setting.of("micro_batch_size").at(1)),
                    adapted(settings.inPasses(1, true))));
        }
        return ways;
    }

    private Way way(TrainSettings settings, int lines, boolean recomputes) {
        Setting micro = Setting.of("micro_batch_size").at(lines);
        return new Way(
                recomputes ? List.of(CHECKPOINTING, micro) : List.of(micro),
                plan(settings.inPasses(lines, recomputes || settings.gradientCheckpointing())));
    }
}
