package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.NotFinite;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

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

    /**
     * One example's place in a step.
     *
     * @param line its number in the data; -1 for a replayed document
     * @param factor of its loss in the step's loss
     */
    private record Slot(Example example, int line, double factor) {}

    private final CausalLm model;
    private final TrainSettings settings;
    private final List<? extends Example> lines;
    private final List<Reference> reference;
    private final EvalLines evalLines;
    private final DataOrder lineOrder;
    private final Replay replay;
    private final Replay.Order replayOrder;
    private final int microBatchRows;
    private final Trained trained;
    private final Activations activations;
    private final PackedBatch batch = new PackedBatch();
    private final double[] logProbs;
    private final double[] coefficients;
    private long numTokens;
    private SkippedSteps skipped = SkippedSteps.NONE;
    private StepObserver observer = StepObserver.NONE;
    private int passes;

    // Sums over the current step.
    private double loss;
    private double replayLoss;
    private double rewardsChosen;
    private double rewardsRejected;
    private double accuracies;
    private double logpsChosen;
    private double logpsRejected;
    private int pairs;
    private int consistent;
    private int twoLanguages;
    /** Of the current step, in order. */
    private final List<StepObserver.Line> observed = new ArrayList<>();

    /**
     * @param lines at least one
     * @param replay where {@code replayBatchSize} documents a step come from
     * @param reference one per line where lines are pairs; null entries for lines that no step takes; empty otherwise
     */
    public Trainer(
            CausalLm model,
            TrainSettings settings,
            List<? extends Example> lines,
            Replay replay,
            List<Reference> reference) {
        this(model, settings, lines, replay, reference, EvalLines.NONE);
    }

    /** @param evalLines what {@link #evalLoss} scores */
    public Trainer(
            CausalLm model,
            TrainSettings settings,
            List<? extends Example> lines,
            Replay replay,
            List<Reference> reference,
            EvalLines evalLines) {
        this.evalLines = evalLines;
        this.model = model;
        this.settings = settings;
        this.lines = lines;
        this.replay = replay;
        this.reference = reference;
        lineOrder = new DataOrder(
                lines.size(), settings.batchSize(), settings.shuffle(), CounterRandom.seed(settings.seed(), "data"));
        replayOrder = replay
        .new Order(settings.replayBatchSize(), settings.shuffle(), CounterRandom.seed(settings.seed(), "replay"));
        if (comparesPairs() && lines.stream().anyMatch(line -> line.weight() != 1)) {
            throw CalmException.badInput(
                    "lines have weights", "a loss that sorts the pairs of a step has no term of one line to weigh");
        }
        Activations.Capacity capacity = capacity();
        if (capacity.positions() > model.config().positions().limit()) {
            throw CalmException.badInput(
                    "the longest training sequence has " + capacity.positions() + " tokens",
                    "the model's max_position_embeddings is "
                            + model.config().positions().limit());
        }
        microBatchRows = capacity.rows();
        logProbs = new double[capacity.scored()];
        coefficients = new double[capacity.scored()];
        trained = new Trained(model);
        activations = new Activations(
                model.backend(),
                model.config(),
                settings.gradientCheckpointing() ? Activations.Purpose.CHECKPOINTING : Activations.Purpose.TRAINING,
                capacity);
    }

    private Activations.Capacity capacity() {
        List<Example> all = new ArrayList<>(lines);
        all.addAll(replay.documents());
        all.addAll(evalLines.lines());
        int longestExample = all.stream().mapToInt(Example::rows).max().orElse(0);
        int maxTokens = settings.packing().maxTokens();
        int bound = Math.max(maxTokens > 0 ? maxTokens : MICRO_BATCH_ROWS, longestExample);
        int rows;
        if (settings.microBatchSize() > 0) {
            rows = sumOfLargest(all.stream().map(Example::rows), settings.microBatchSize());
            rows = maxTokens > 0 ? Math.min(rows, bound) : rows;
        } else {
            rows = Math.max(
                    longestExample,
                    Math.min(
                            bound,
                            sumOfLargest(lines.stream().map(Example::rows), settings.batchSize())
                                    + sumOfLargest(
                                            replay.documents().stream().map(Example::rows),
                                            settings.replayBatchSize())));
        }
        // A pair's prompt row scores two targets, and rows of a prompt may score none.
        int pairsInLine =
                lines.stream().mapToInt(line -> line.preferences().size()).max().orElse(0);
        int pairsAtMost = Math.min(rows, pairsInLine * settings.batchSize());
        int scored = Math.max(
                rows + pairsAtMost, all.stream().mapToInt(Example::scored).max().orElse(0));
        int longest = all.stream().mapToInt(Example::longest).max().orElse(0);
        return new Activations.Capacity(rows, scored, longest, 0, model.loraRank());
    }

    private static int sumOfLargest(Stream<Integer> sizes, int count) {
        return sizes.sorted(Collections.reverseOrder())
                .limit(count)
                .mapToInt(Integer::intValue)
                .sum();
    }

    /** The memory that this training takes. */
    public MemoryPlan memory() {
        long weights =
                model.parameters().tensors().stream().mapToLong(Tensor::bytes).sum();
        long own = trained.weights().bytes();
        Activations.Purpose purpose =
                settings.gradientCheckpointing() ? Activations.Purpose.CHECKPOINTING : Activations.Purpose.TRAINING;
        return MemoryPlan.of(
                model.lora() == null ? 0 : weights,
                own,
                backend().keepsRounded(),
                Activations.bytes(model.config(), backend().computeType(), purpose, activations.capacity()));
    }

    /** Lets an observer watch the steps from here on, in place of the one before. */
    public void observe(StepObserver observer) {
        this.observer = observer;
    }

    public int stepsPerEpoch() {
        return lineOrder.stepsPerEpoch();
    }

    /** Lines that the steps before {@code steps} take, as marks by line number. */
    public static boolean[] linesOfSteps(int lines, TrainSettings settings, int steps) {
        DataOrder order = new DataOrder(
                lines, settings.batchSize(), settings.shuffle(), CounterRandom.seed(settings.seed(), "data"));
        boolean[] taken = new boolean[lines];
        for (int step = 0; step < Math.min(steps, order.stepsPerEpoch()); step++) {
            for (int line : order.batch(step)) {
                taken[line] = true;
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
        clearSums();
        List<Slot> slots = slots(step);
        Iterator<PreferenceLoss.Value> compared = compared(slots, reference, micro -> dropoutSeed(step, micro));
        long before = numTokens;
        for (int first = 0, micro = 0; first < slots.size(); micro++) {
            int end = pack(slots, first);
            Long dropoutSeed = dropoutSeed(step, micro);
            Tap tap = observer.tap(step + 1, micro, batch);
            CausalLm seen = tap == null ? model : model.tapped(tap);
            seen.forward(activations, batch, dropoutSeed);
            activations.readLogProbs(logProbs);
            losses(slots.subList(first, end), reference, compared);
            seen.backward(trained.gradients(), activations, batch, coefficients, dropoutSeed, micro > 0);
            first = end;
            passes = micro + 1;
        }
        double norm = trained.gradientNorm();
        double stepLoss = loss;
        Double stepReplayLoss = settings.replayBatchSize() > 0 ? replayLoss : null;
        StepLog.Preference preference = preference();
        long tokens = numTokens;
        Map<String, Object> more = observer.observe(new Open(step, slots, stepLoss, norm, List.copyOf(observed)));
        numTokens = tokens;
        double learningRate = settings.schedule().learningRate(step);
        skipped = skipped.after(StepLog.isSkipped(stepLoss, norm));
        if (skipped.inARow() == 0) {
            trained.update(settings, learningRate, clip(norm, settings.maxGradNorm()), step + 1 - skipped.all());
        } else {
            mayGoOn(step, stepLoss, norm);
        }
        double seconds = (System.nanoTime() - start) * 1e-9;
        return new StepLog(
                step + 1,
                (step + 1.0) / stepsPerEpoch(),
                stepLoss,
                norm,
                learningRate,
                numTokens,
                (numTokens - before) / seconds,
                stepReplayLoss,
                skipped.all() > 0 ? skipped.all() : null,
                null,
                preference,
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
                Slot slot = slots.get(places[i]);
                some.add(new Slot(slot.example(), slot.line(), scales[i] * slot.factor()));
            }
            Iterator<PreferenceLoss.Value> compared = null;
            if (comparesPairs()) {
                List<PreferenceLoss.Value> values = compare(slots, reference, micro -> null);
                // Replayed documents come after all pairs.
                compared = Arrays.stream(places)
                        .filter(place -> place < values.size())
                        .mapToObj(values::get)
                        .iterator();
            }
            // Far from the numbers of the step's own passes.
            Trainer.this.gradient(some, compared, micro -> dropoutSeed(step, Integer.MAX_VALUE - passes++), to);
        }
    }

    /** Sets a gradient to that of the slots' loss, by passes of their own. */
    private void gradient(
            List<Slot> slots, Iterator<PreferenceLoss.Value> compared, IntFunction<Long> dropoutSeed, Gradients to) {
        for (int first = 0, micro = 0; first < slots.size(); micro++) {
            int end = pack(slots, first);
            Long seed = dropoutSeed.apply(micro);
            model.forward(activations, batch, seed);
            activations.readLogProbs(logProbs);
            losses(slots.subList(first, end), reference, compared);
            model.backward(to, activations, batch, coefficients, seed, first > 0);
            first = end;
        }
    }

    /** Sets the gradient to the part of some lines in a step that is not taken; a replayed document is line -1. */
    void gradient(int step, IntPredicate lines) {
        long before = numTokens;
        clearSums();
        List<Slot> slots = new ArrayList<>(slots(step));
        IntFunction<Long> dropoutSeed = micro -> dropoutSeed(step, micro);
        Iterator<PreferenceLoss.Value> compared = compared(slots, reference, dropoutSeed);
        if (dropoutSeed(step, 0) == null && !comparesPairs()) {
            slots.removeIf(slot -> !lines.test(slot.line()));
        } else {
            // The others count by their values, or by their places, at which dropout drops.
            slots.replaceAll(slot -> lines.test(slot.line()) ? slot : new Slot(slot.example(), slot.line(), 0));
        }
        gradient(slots, compared, dropoutSeed, trained.gradients());
        numTokens = before;
    }

    /**
     * Sets the gradient to that of one example's loss, without dropout.
     *
     * @param line its number in the data; -1 for a document that is not of them
     */
    void gradient(Example example, int line, double factor) {
        long before = numTokens;
        clearSums();
        gradient(List.of(new Slot(example, line, factor)), null, micro -> null, trained.gradients());
        numTokens = before;
    }

    /** Whether a pair's loss depends on the other pairs of its step. */
    boolean comparesPairs() {
        return settings.preferenceLoss() != null && settings.preferenceLoss().comparesPairs();
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

    /** Mean loss over the evaluation lines, without dropout, without training on them. */
    public double evalLoss() {
        clearSums();
        List<Slot> slots = new ArrayList<>();
        for (int line = 0; line < evalLines.lines().size(); line++) {
            slots.add(new Slot(
                    evalLines.lines().get(line),
                    line,
                    evalLines.lines().get(line).weight() / evalLines.lines().size()));
        }
        Iterator<PreferenceLoss.Value> compared = compared(slots, evalLines.reference(), micro -> null);
        long before = numTokens;
        for (int first = 0; first < slots.size(); ) {
            int end = pack(slots, first);
            model.forward(activations, batch, null);
            activations.readLogProbs(logProbs);
            losses(slots.subList(first, end), evalLines.reference(), compared);
            first = end;
        }
        numTokens = before;
        return loss;
    }

    private void clearSums() {
        loss = 0;
        replayLoss = 0;
        rewardsChosen = 0;
        rewardsRejected = 0;
        accuracies = 0;
        logpsChosen = 0;
        logpsRejected = 0;
        observed.clear();
        pairs = 0;
        consistent = 0;
        twoLanguages = 0;
    }

    private List<Slot> slots(int step) {
        List<Slot> slots = new ArrayList<>();
        int[] batchLines = lineOrder.batch(step);
        for (int line : batchLines) {
            slots.add(new Slot(lines.get(line), line, lines.get(line).weight() / batchLines.length));
        }
        if (settings.replayBatchSize() > 0) {
            for (Example.Document example : replayOrder.documents(step)) {
                slots.add(
                        new Slot(example, -1, example.weight() * settings.replayWeight() / settings.replayBatchSize()));
            }
        }
        return slots;
    }

    /** Fills the batch from slot {@code first} on; returns the slot after the last one that fitted. */
    private int pack(List<Slot> slots, int first) {
        batch.clear();
        int end = first;
        int most = settings.microBatchSize() > 0 ? settings.microBatchSize() : Integer.MAX_VALUE;
        int mostTokens = settings.packing().maxTokens() > 0 ? settings.packing().maxTokens() : Integer.MAX_VALUE;
        int tokens = 0;
        while (end < slots.size() && end - first < most) {
            Example example = slots.get(end).example();
            if (end > first
                    && (batch.rows() + example.rows() > microBatchRows
                            || batch.scored() + example.scored() > logProbs.length
                            || tokens + example.tokenCount() > mostTokens)) {
                break;
            }
            example.pack(batch);
            tokens += example.tokenCount();
            end++;
        }
        numTokens += tokens;
        return end;
    }

    private Long dropoutSeed(int step, int micro) {
        if (model.lora() == null || model.lora().dropout() == 0) {
            return null;
        }
        return CounterRandom.seed(CounterRandom.seed(CounterRandom.seed(settings.seed(), "dropout"), step), micro);
    }

    /**
     * Values of all pairs, in order, if they depend on each other and take more than one pass: found by forward passes of their own. Null
     * otherwise.
     */
    private Iterator<PreferenceLoss.Value> compared(
            List<Slot> slots, List<Reference> references, IntFunction<Long> dropoutSeed) {
        if (!comparesPairs()) {
            return null;
        }
        long before = numTokens;
        boolean inOnePass = pack(slots, 0) == slots.size();
        numTokens = before;
        return inOnePass ? null : compare(slots, references, dropoutSeed).iterator();
    }

    /** Values of all pairs, in order, by forward passes. */
    private List<PreferenceLoss.Value> compare(
            List<Slot> slots, List<Reference> references, IntFunction<Long> dropoutSeed) {
        long before = numTokens;
        List<PreferenceLoss.Pair> all = new ArrayList<>();
        for (int first = 0, micro = 0; first < slots.size(); micro++) {
            int end = pack(slots, first);
            model.forward(activations, batch, dropoutSeed.apply(micro));
            activations.readLogProbs(logProbs);
            all.addAll(pairs(slots.subList(first, end), references));
            first = end;
        }
        numTokens = before;
        return settings.preferenceLoss().of(all);
    }

    /** Those of the batch that are in one language. */
    private List<PreferenceLoss.Pair> pairs(List<Slot> slots, List<Reference> references) {
        List<PreferenceLoss.Pair> found = new ArrayList<>();
        int sequence = 0;
        for (Slot slot : slots) {
            if (slot.example() instanceof Example.Preference example) {
                found.add(pair(example, references.get(slot.line()), sequence));
            }
            sequence += slot.example().sequences();
        }
        return found;
    }

    /** @param compared values of pairs from here on; null to compute them */
    private void losses(List<Slot> slots, List<Reference> references, Iterator<PreferenceLoss.Value> compared) {
        List<PreferenceLoss.Pair> inBatch = pairs(slots, references);
        Iterator<PreferenceLoss.Pair> pair = inBatch.iterator();
        Iterator<PreferenceLoss.Value> value = compared != null || inBatch.isEmpty()
                ? compared
                : settings.preferenceLoss().of(inBatch).iterator();
        int sequence = 0;
        for (Slot slot : slots) {
            switch (slot.example()) {
                case Example.Document document -> documentLoss(slot, sequence);
                case Example.Preference preference -> {
                    PreferenceLoss.Pair own = pair.next();
                    PreferenceLoss.Value its = value.next();
                    apply(slot, own, its, sequence);
                    observed.add(new StepObserver.Line(slot.line(), slot.factor(), its.loss(), List.of(margin(own))));
                }
                case Example.TwoLanguages both -> consistencyLoss(slot, both, references.get(slot.line()), sequence);
            }
            sequence += slot.example().sequences();
        }
    }

    private void documentLoss(Slot slot, int sequence) {
        int count = batch.scoredStart(sequence + 1) - batch.scoredStart(sequence);
        double negative = -sum(sequence) / count;
        fill(sequence, -slot.factor() / count);
        loss += slot.factor() * negative;
        observed.add(new StepObserver.Line(slot.line(), slot.factor(), negative, List.of()));
        if (slot.line() < 0) {
            replayLoss += negative / settings.replayBatchSize();
        }
    }

    private void consistencyLoss(Slot slot, Example.TwoLanguages example, Reference start, int sequence) {
        PreferenceLoss.Pair first = pair(example.first(), start, sequence);
        PreferenceLoss.Pair second = pair(example.second(), start.second(), sequence + 2);
        ConsistencyLoss.Value value = settings.consistencyLoss().of(first, second);
        apply(slot, first, value.first(), sequence);
        apply(slot, second, value.second(), sequence + 2);
        consistent += first.chosen() > first.rejected() == second.chosen() > second.rejected() ? 1 : 0;
        twoLanguages++;
        observed.add(new StepObserver.Line(
                slot.line(),
                slot.factor(),
                value.first().loss() + value.second().loss(),
                List.of(margin(first), margin(second))));
    }

    /** Of the rewards. */
    private double margin(PreferenceLoss.Pair pair) {
        return settings.beta() * (pair.chosen() - pair.referenceChosen())
                - settings.beta() * (pair.rejected() - pair.referenceRejected());
    }

    private PreferenceLoss.Pair pair(Example.Preference example, Reference start, int sequence) {
        int shared = example.shared();
        return new PreferenceLoss.Pair(
                sum(sequence, shared, settings.ldAlpha()),
                sum(sequence + 1, shared, settings.ldAlpha()),
                start.chosen(),
                start.rejected(),
                example.chosen().length,
                example.rejected().length,
                sum(sequence));
    }

    private void apply(Slot slot, PreferenceLoss.Pair pair, PreferenceLoss.Value value, int sequence) {
        int shared = Math.min(pair.chosenTokens(), pair.rejectedTokens());
        double tail = settings.ldAlpha();
        fill(
                sequence,
                shared,
                slot.factor() * (value.dChosen() + value.dLikelihood()),
                slot.factor() * (tail * value.dChosen() + value.dLikelihood()));
        fill(sequence + 1, shared, slot.factor() * value.dRejected(), slot.factor() * tail * value.dRejected());
        loss += slot.factor() * value.loss();
        rewardsChosen += settings.beta() * (pair.chosen() - pair.referenceChosen());
        rewardsRejected += settings.beta() * (pair.rejected() - pair.referenceRejected());
        accuracies += pair.margin() > 0 ? 1 : 0;
        logpsChosen += pair.chosen();
        logpsRejected += pair.rejected();
        pairs++;
    }

    private double sum(int sequence) {
        double sum = 0;
        for (int i = batch.scoredStart(sequence); i < batch.scoredStart(sequence + 1); i++) {
            sum += logProbs[i];
        }
        return sum;
    }

    /** The sum in which tokens after the first {@code shared} count for a share {@code tail}. */
    private double sum(int sequence, int shared, double tail) {
        double sum = 0;
        int start = batch.scoredStart(sequence);
        for (int i = start; i < batch.scoredStart(sequence + 1); i++) {
            sum += i - start < shared ? logProbs[i] : tail * logProbs[i];
        }
        return sum;
    }

    private void fill(int sequence, int shared, double coefficient, double tail) {
        int start = batch.scoredStart(sequence);
        int end = batch.scoredStart(sequence + 1);
        int split = Math.min(start + shared, end);
        Arrays.fill(coefficients, start, split, coefficient);
        Arrays.fill(coefficients, split, end, tail);
    }

    private void fill(int sequence, double coefficient) {
        Arrays.fill(coefficients, batch.scoredStart(sequence), batch.scoredStart(sequence + 1), coefficient);
    }

    private StepLog.Preference preference() {
        if (pairs == 0) {
            return null;
        }
        return new StepLog.Preference(
                rewardsChosen / pairs,
                rewardsRejected / pairs,
                (rewardsChosen - rewardsRejected) / pairs,
                accuracies / pairs,
                logpsChosen / pairs,
                logpsRejected / pairs,
                twoLanguages == 0 ? null : (double) consistent / twoLanguages);
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
        boolean[] taken = linesOfSteps(lines.size(), settings, steps);
        return IntStream.range(0, taken.length).filter(line -> taken[line]).toArray();
    }

    /** The numbers of the lines that a step takes. */
    int[] lines(int step) {
        return lineOrder.batch(step);
    }

    StepObserver observer() {
        return observer;
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
