package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.NotFinite;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.train.division.Division;

/** Optimizer steps: batch → forward → loss → backward → clip → AdamW → {@link StepLog}. All memory is taken before the first step. */
public final class Trainer implements AutoCloseable {
    /** Rows of a micro-batch where its size is automatic. */
    public static final int MICRO_BATCH_ROWS = 4096;
    /** PyTorch's clip_grad_norm_ adds it to the norm. */
    private static final double CLIP_EPSILON = 1e-6;

    /**
     * Log-probability sums of a line's completions under the reference model.
     *
     * @param second those of the second language; null with one
     */
    public record Reference(double chosen, double rejected, Reference second) {
        /** For losses that read none, on pairs in one language: rewards are then of the policy alone. */
        public static final Reference NONE = new Reference(0, 0, null);
    }

    /**
     * Lines that are evaluated from time to time and never trained on.
     *
     * @param reference as for the lines that are trained on
     */
    public record EvalLines(List<? extends Example> lines, List<Reference> reference) {
        public static final EvalLines NONE = new EvalLines(List.of(), List.of());
    }

    private final CausalLm model;
    private final TrainSettings settings;
    private final List<? extends Example> lines;
    private final List<Reference> reference;
    private final EvalLines evalLines;
    private final Division division;
    private final DataOrder lineOrder;
    private final Replay replay;
    private final Replay.Order replayOrder;
    private final PassPlan plan;
    private final Trained trained;
    private final Activations activations;
    private final PackedBatch batch;
    private final LineLosses losses;
    private long numTokens;
    private SkippedSteps skipped = SkippedSteps.NONE;
    private StepObserver observer = StepObserver.NONE;
    /** Null where references are given. */
    private SyncedReference synced;
    /** What {@link #synced} makes of the lines of the pass, by their rows in the step. */
    private final Map<Integer, Reference> followed = new HashMap<>();

    private int passes;

    /**
     * @param lines at least one
     * @param replay where {@code replayBatchSize} documents a step come from
     * @param reference one per line where lines are pairs, or per entry of {@link Mismatched}; null entries for lines that no step takes; empty otherwise
     */
    public Trainer(
            CausalLm model,
            TrainSettings settings,
            List<? extends Example> lines,
            Replay replay,
            List<Reference> reference) {
        this(model, settings, lines, replay, reference, EvalLines.NONE);
    }

    /** @param evalLines what {@link #evaluate} scores */
    public Trainer(
            CausalLm model,
            TrainSettings settings,
            List<? extends Example> lines,
            Replay replay,
            List<Reference> reference,
            EvalLines evalLines) {
        this(model, settings, lines, replay, reference, evalLines, Division.NONE);
    }

    /** @param division with the ranks that make the same steps together */
    public Trainer(
            CausalLm model,
            TrainSettings settings,
            List<? extends Example> lines,
            Replay replay,
            List<Reference> reference,
            EvalLines evalLines,
            Division division) {
        this(
                model,
                settings,
                lines,
                replay,
                reference,
                evalLines,
                TrainingSizes.of(lines, replay, evalLines.lines()),
                division);
    }

    /** @param sizes of all these lines */
    public Trainer(
            CausalLm model,
            TrainSettings settings,
            List<? extends Example> lines,
            Replay replay,
            List<Reference> reference,
            EvalLines evalLines,
            TrainingSizes sizes,
            Division division) {
        this.evalLines = evalLines;
        this.division = division;
        this.model = model;
        this.settings = settings;
        this.lines = lines;
        this.replay = replay;
        this.reference = reference;
        batch = new PackedBatch(settings.packing().sharePrompts());
        lineOrder = order(lines, settings);
        replayOrder = replay
        .new Order(settings.replayBatchSize(), settings.shuffle(), CounterRandom.seed(settings.seed(), "replay"));
        if (settings.preferenceLoss() != null
                && settings.preferenceLoss().comparesPairs()
                && sizes.lines().weighted()) {
            throw CalmException.badInput(
                    "lines have weights", "a loss that sorts the pairs of a step has no term of one line to weigh");
        }
        plan = new PassPlan(batch, settings, sizes.passes(settings), division);
        Activations.Capacity most = sizes.capacity(settings);
        Activations.Capacity capacity = Activations.Capacity.of(model, most.rows(), most.scored(), most.positions(), 0);
        if (capacity.positions() > model.config().positions().limit()) {
            throw CalmException.badInput(
                    "the longest training sequence has " + capacity.positions() + " tokens",
                    "the model's max_position_embeddings is "
                            + model.config().positions().limit());
        }
        losses = new LineLosses(settings, batch, capacity.scored());
        trained = new Trained(model, settings, division);
        activations = new Activations(
                model.backend(),
                model.config(),
                settings.gradientCheckpointing() ? Activations.Purpose.CHECKPOINTING : Activations.Purpose.TRAINING,
                capacity);
        activations.takeStatistics(true);
    }

    /** The memory that this training takes, without what its reference took before. */
    public MemoryPlan memory() {
        boolean adapts = model.lora() != null;
        Activations.Purpose purpose =
                settings.gradientCheckpointing() ? Activations.Purpose.CHECKPOINTING : Activations.Purpose.TRAINING;
        return MemoryPlan.of(
                        backend(),
                        settings.update(),
                        model.config(),
                        (adapts
                                        ? TrainingMemory.bytes(model.parameters())
                                                + model.lora().fixedBytes()
                                        : 0)
                                + (synced == null
                                        ? 0
                                        : synced.slab().bytes()
                                                + (backend().keepsRounded()
                                                        ? synced.slab().bytes() / 2
                                                        : 0)),
                        trained.weights().shapes(),
                        Activations.bytes(backend(), model.config(), purpose, activations.capacity()),
                        0,
                        adapts ? MemoryPlan.copies(backend(), model.config()) : 0)
                .dividedBy(division);
    }

    /** Lets an observer watch the steps from here on, in place of the one before. */
    public void observe(StepObserver observer) {
        this.observer = observer;
    }

    /**
     * Lets references be those of a model that follows the trained one, in place of those that were given; it is then in checkpoints.
     *
     * @param reference closed by the caller; all weights are trained
     */
    public void refer(SyncedReference reference) {
        synced = reference;
    }

    /** Does something while the weights are those of the model, where an optimizer trains others. */
    public void asModel(Runnable action) {
        trained.asModel(action);
    }

    /** Null where references are given. */
    SyncedReference synced() {
        return synced;
    }

    public int stepsPerEpoch() {
        return lineOrder.stepsPerEpoch();
    }

    static DataOrder order(List<? extends Example> lines, TrainSettings settings) {
        List<? extends Example> once = Mismatched.once(lines);
        return new DataOrder(
                once.size(),
                settings.packing().groupByPrompt() ? Prompts.groups(once) : null,
                settings.batchSize(),
                settings.shuffle(),
                CounterRandom.seed(settings.seed(), "data"));
    }

    /** Lines that the steps before {@code steps} take, as marks by their place in {@code lines}. */
    public static boolean[] linesOfSteps(List<? extends Example> lines, TrainSettings settings, int steps) {
        DataOrder order = order(lines, settings);
        boolean[] taken = new boolean[lines.size()];
        int epochs = lines instanceof Mismatched ? Math.ceilDiv(steps, order.stepsPerEpoch()) : 1;
        for (int step = 0; step < Math.min(steps, epochs * order.stepsPerEpoch()); step++) {
            for (int line : order.batch(step)) {
                taken[Mismatched.entry(lines, step / order.stepsPerEpoch(), line)] = true;
            }
        }
        return taken;
    }

    /**
     * Takes one optimizer step.
     *
     * @param step counted from 0; it decides lines, learning rate and dropout
     * @throws CalmException failed: too many steps in a row were not finite; bad input: a weight is not
     */
    public StepLog step(int step) {
        long start = System.nanoTime();
        List<Slot> slots = slots(step);
        List<Pass> passes = plan.passes(slots);
        this.passes = passes.size();
        StepTable table = new StepTable(slots);
        List<PreferenceLoss.Value> compared = compared(passes, reference, pass -> dropoutSeed(step, pass));
        gradient(
                passes,
                pass -> dropoutSeed(step, pass),
                compared,
                table,
                pass -> observer.tap(step + 1, pass.number(), batch));
        double norm = trained.gradientNorm();
        double loss = table.loss();
        long tokens =
                slots.stream().mapToLong(slot -> slot.example().tokenCount()).sum();
        numTokens += tokens;
        Map<String, Object> more = observer.observe(new Open(step, slots, loss, norm, table.lines()));
        double learningRate = settings.schedule().learningRate(step);
        skipped = skipped.after(StepLog.isSkipped(loss, norm));
        if (skipped.inARow() == 0) {
            trained.update(settings, step, clip(norm, settings.maxGradNorm()), step + 1 - skipped.all());
        } else {
            mayGoOn(step, loss, norm);
        }
        if (synced != null) {
            trained.asModel(() -> synced.after(step + 1, trained.weights()));
        }
        double seconds = (System.nanoTime() - start) * 1e-9;
        return new StepLog(
                step + 1,
                (step + 1.0) / stepsPerEpoch(),
                loss,
                norm,
                learningRate,
                numTokens,
                tokens / seconds,
                settings.replayBatchSize() > 0 ? table.replayLoss(settings.replayBatchSize()) : null,
                skipped.all() > 0 ? skipped.all() : null,
                trained.learningRates(step),
                null,
                table.preference(),
                null,
                table.tokens(),
                null,
                more);
    }

    /** What an observer sees of a step. */
    private final class Open implements StepObserver.Step {
        private final int step;
        private final List<Slot> slots;
        private final double loss;
        private final double norm;
        private final List<StepObserver.Line> lines;
        /** Passes of the observer's own, which drop other values than the step's. */
        private int passes;

        Open(int step, List<Slot> slots, double loss, double norm, List<StepObserver.Line> lines) {
            this.step = step;
            this.slots = slots;
            this.loss = loss;
            this.norm = norm;
            this.lines = lines;
        }

        @Override
        public int number() {
            return step + 1;
        }

        @Override
        public double loss() {
            return loss;
        }

        @Override
        public double gradientNorm() {
            return norm;
        }

        @Override
        public List<StepObserver.Line> lines() {
            return lines;
        }

        @Override
        public Gradients gradients() {
            return trained.gradients();
        }

        @Override
        public void gradient(int[] places, double[] scales, Gradients to) {
            List<Slot> some = new ArrayList<>();
            for (int i = 0; i < places.length; i++) {
                some.add(slots.get(places[i]).times(scales[i]));
            }
            List<PreferenceLoss.Value> compared =
                    comparesPairs() ? compare(plan.passes(slots), reference, pass -> null) : null;
            StepTable table = new StepTable(slots);
            boolean add = false;
            for (List<Slot> micro : plan.microBatches(some)) {
                // Far from the numbers of the step's own passes.
                Pass pass = new Pass(micro, 0, Integer.MAX_VALUE - passes++, 0);
                plan.pack(micro);
                forwardAndBackward(model, pass, dropoutSeed(step, pass), compared, table, to, add);
                add = true;
            }
        }
    }

    /** Of the pass that is packed. */
    private void forwardAndBackward(
            CausalLm seen,
            Pass pass,
            Long dropoutSeed,
            List<PreferenceLoss.Value> compared,
            StepTable table,
            Gradients to,
            boolean add) {
        forward(seen, dropoutSeed, pass.slots());
        losses.add(pass.slots(), slot -> reference(slot, reference), compared, table);
        seen.backward(to, activations, batch, losses.coefficients(), dropoutSeed, add);
    }

    /** Of what is packed: first under the reference, if it follows. */
    private void forward(CausalLm seen, Long dropoutSeed, List<Slot> slots) {
        if (synced != null) {
            synced.model().forward(activations, batch, null);
            losses.readLogProbs(activations);
            int sequence = 0;
            for (Slot slot : slots) {
                followed.put(slot.row(), losses.reference(slot.example().preferences(), sequence));
                sequence += slot.example().sequences();
            }
        }
        seen.forward(activations, batch, dropoutSeed);
        losses.read(activations);
    }

    private Reference reference(Slot slot, List<Reference> given) {
        return synced == null ? given.get(slot.entry()) : followed.get(slot.row());
    }

    /** Sets the gradient to that of passes over all parts. */
    private void gradient(
            List<Pass> passes,
            Function<Pass, Long> dropoutSeed,
            List<PreferenceLoss.Value> compared,
            StepTable table,
            Function<Pass, Tap> taps) {
        BitSet present = new BitSet();
        passes.forEach(pass -> present.set(pass.part()));
        trained.sum(present, (part, to) -> {
            for (Pass pass : passes) {
                if (pass.part() == part) {
                    plan.pack(pass.slots());
                    Tap tap = taps.apply(pass);
                    CausalLm seen = tap == null ? model : model.tapped(tap);
                    forwardAndBackward(seen, pass, dropoutSeed.apply(pass), compared, table, to, pass.micro() > 0);
                }
            }
        });
        table.complete(division.ranks());
    }

    /** Sets the gradient to the part of some lines in a step that is not taken; a replayed document is line -1. */
    void gradient(int step, IntPredicate lines) {
        List<Slot> slots = slots(step);
        List<Pass> passes = plan.passes(slots);
        Function<Pass, Long> dropoutSeed = pass -> dropoutSeed(step, pass);
        List<PreferenceLoss.Value> compared = compared(passes, reference, dropoutSeed);
        if (!dropsOut() && !comparesPairs()) {
            slots.removeIf(slot -> !lines.test(slot.line()));
        } else {
            // The others count by their values, or by their places, at which dropout drops.
            slots.replaceAll(slot -> lines.test(slot.line()) ? slot : slot.times(0));
        }
        gradient(plan.passes(slots), dropoutSeed, compared, new StepTable(slots(step)), pass -> null);
    }

    /**
     * Sets the gradient to that of one example's loss, without dropout.
     *
     * @param line its number in the data; -1 for a document that is not of them
     */
    void gradient(Example example, int line, double factor) {
        List<Slot> slots = new ArrayList<>();
        Slot.add(slots, example, line, factor);
        gradient(plan.passes(slots), pass -> null, null, new StepTable(slots), pass -> null);
    }

    /** Whether a line's loss depends on the other lines of its step. */
    boolean comparesPairs() {
        return settings.preferenceLoss() != null && settings.preferenceLoss().comparesPairs()
                || settings.unpairedLoss() != null && settings.unpairedLoss().readsMismatched();
    }

    private void mayGoOn(int step, double loss, double norm) {
        CalmException broken = NotFinite.explain(model);
        if (broken.kind() == CalmException.Kind.BAD_INPUT) {
            throw broken;
        }
        if (skipped.inARow() > settings.update().maxSkippedSteps()) {
            throw CalmException.failed(
                    "step " + (step + 1) + ": loss " + loss + ", gradient norm " + norm
                            + (skipped.inARow() == 1 ? "" : ", as in the " + (skipped.inARow() - 1) + " before it")
                            + " — training has diverged; try a lower ",
                    Setting.of("learning_rate"),
                    " or ",
                    Setting.of("max_grad_norm"),
                    ", or allow more of them with ",
                    Setting.of("max_skipped_steps"));
        }
    }

    /**
     * Global-norm clipping (Pascanu et al. 2013, algorithm 1): the factor {@code min(1, maxNorm / (norm + 1e-6))} that gradients are
     * multiplied by before AdamW reads them; 1 where maxNorm is 0.
     */
    static double clip(double norm, double maxNorm) {
        return maxNorm > 0 ? Math.min(1, maxNorm / (norm + CLIP_EPSILON)) : 1;
    }

    /** Means over the evaluation lines, without dropout, without training on them. */
    public StepLog.Evaluation evaluate() {
        StepLog.Evaluation[] evaluation = new StepLog.Evaluation[1];
        trained.asModel(() -> evaluation[0] = evaluateWeights());
        return evaluation[0];
    }

    private StepLog.Evaluation evaluateWeights() {
        List<Slot> slots = new ArrayList<>();
        for (int line = 0; line < evalLines.lines().size(); line++) {
            Example example = evalLines.lines().get(line);
            Slot.add(slots, example, line, example.weight() / evalLines.lines().size());
        }
        // Each rank takes every so many of the passes of one process.
        List<Pass> passes = new ArrayList<>();
        for (List<Slot> micro : plan.microBatches(slots)) {
            passes.add(new Pass(micro, passes.size() % division.ranks().size() * division.share(), 0, passes.size()));
        }
        List<PreferenceLoss.Value> compared = compared(passes, evalLines.reference(), pass -> null);
        StepTable table = new StepTable(slots);
        for (Pass pass : passes) {
            if (division.isOwn(pass.part())) {
                plan.pack(pass.slots());
                forward(model, null, pass.slots());
                losses.add(pass.slots(), slot -> reference(slot, evalLines.reference()), compared, table);
            }
        }
        table.complete(division.ranks());
        return new StepLog.Evaluation(table.loss(), table.preference(), table.tokens());
    }

    private List<Slot> slots(int step) {
        List<Slot> slots = new ArrayList<>();
        int[] batchLines = lineOrder.batch(step);
        if (settings.packing().sharePrompts()) {
            batchLines = Prompts.together(lines, batchLines);
        }
        for (int line : batchLines) {
            int entry = Mismatched.entry(lines, step / stepsPerEpoch(), line);
            Example example = lines.get(entry);
            Slot.add(slots, example, line, entry, example.weight() / batchLines.length);
        }
        if (settings.replayBatchSize() > 0) {
            for (Example.Document example : replayOrder.documents(step)) {
                Slot.add(slots, example, -1, example.weight() * settings.replayWeight() / settings.replayBatchSize());
            }
        }
        return slots;
    }

    private boolean dropsOut() {
        return model.lora() != null && model.lora().dropout() > 0;
    }

    private Long dropoutSeed(int step, Pass pass) {
        if (!dropsOut()) {
            return null;
        }
        long seed = CounterRandom.seed(CounterRandom.seed(settings.seed(), "dropout"), step);
        return CounterRandom.seed(division.parts() == 1 ? seed : CounterRandom.seed(seed, pass.part()), pass.micro());
    }

    /**
     * Values of all pairs, in order, if they depend on each other and take more than one pass: found by forward passes of their own. Null
     * otherwise.
     */
    private List<PreferenceLoss.Value> compared(
            List<Pass> passes, List<Reference> references, Function<Pass, Long> dropoutSeed) {
        return comparesPairs() && passes.size() > 1 ? compare(passes, references, dropoutSeed) : null;
    }

    /** Values of all pairs, in order, by forward passes. */
    private List<PreferenceLoss.Value> compare(
            List<Pass> passes, List<Reference> references, Function<Pass, Long> dropoutSeed) {
        List<Slot> slots = passes.stream()
                .flatMap(pass -> pass.slots().stream())
                .filter(slot -> LineLosses.pairOf(slot.example()) != null)
                .toList();
        int columns = 5;
        double[] sums = new double[columns * slots.size()];
        for (Pass pass : passes) {
            if (division.isOwn(pass.part())) {
                plan.pack(pass.slots());
                forward(model, dropoutSeed.apply(pass), pass.slots());
                Iterator<PreferenceLoss.Pair> pairs = losses.pairs(pass.slots(), slot -> reference(slot, references))
                        .iterator();
                for (Slot slot : pass.slots()) {
                    if (LineLosses.pairOf(slot.example()) != null) {
                        PreferenceLoss.Pair pair = pairs.next();
                        int at = columns * slot.row();
                        sums[at] = pair.chosen();
                        sums[at + 1] = pair.rejected();
                        sums[at + 2] = pair.likelihood();
                        sums[at + 3] = pair.referenceChosen();
                        sums[at + 4] = pair.referenceRejected();
                    }
                }
            }
        }
        division.ranks().sum(sums);
        List<PreferenceLoss.Pair> all = new ArrayList<>();
        for (Slot slot : slots) {
            int at = columns * slot.row();
            Reference start = new Reference(sums[at + 3], sums[at + 4], null);
            all.add(LineLosses.pair(LineLosses.pairOf(slot.example()), start, sums[at], sums[at + 1], sums[at + 2], 0));
        }
        return losses.values(slots, all);
    }

    Backend backend() {
        return model.backend();
    }

    TrainSettings settings() {
        return settings;
    }

    /** By number, as all else that has a line's number. */
    List<? extends Example> lines() {
        return lines;
    }

    /** The numbers of the lines that the first so many steps take, each once. */
    public int[] takenBy(int steps) {
        boolean[] taken = linesOfSteps(lines, settings, steps);
        return IntStream.range(0, taken.length)
                .filter(entry -> taken[entry])
                .map(entry -> entry % Mismatched.once(lines).size())
                .distinct()
                .sorted()
                .toArray();
    }

    /** The numbers of the lines that a step takes. */
    int[] lines(int step) {
        return lineOrder.batch(step);
    }

    StepObserver observer() {
        return observer;
    }

    Division division() {
        return division;
    }

    Trained trained() {
        return trained;
    }

    /** Forward and backward passes of the last step. */
    int passes() {
        return passes;
    }

    long numTokens() {
        return numTokens;
    }

    void numTokens(long tokens) {
        numTokens = tokens;
    }

    SkippedSteps skipped() {
        return skipped;
    }

    void skipped(SkippedSteps steps) {
        skipped = steps;
    }

    @Override
    public void close() {
        trained.close();
        activations.close();
    }
}
