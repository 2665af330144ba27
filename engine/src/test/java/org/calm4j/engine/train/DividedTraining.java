package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.LossParameters;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.loss.UnpairedLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.UpdateSettings;

/** What is trained in parts by tests of all backends; in each case a last batch is odd. */
public enum DividedTraining {
    DOCUMENTS_ALONE(false, false),
    PAIRS_AND_REPLAY(false, false),
    ADAPTER_WITH_DROPOUT(true, true),
    TWO_LANGUAGES(true, false),
    SORTED_PAIRS(true, true),
    /** Each with a completion of its step, which may be of another part. */
    SINGLE_COMPLETIONS(false, true);

    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 1),
            new Example.Preference(new int[] {1, 2, 3}, new int[] {11}, new int[] {12}, 1),
            new Example.Preference(new int[] {8, 2, 13}, new int[] {11, 7, 7, 0}, new int[] {12, 3}, 1),
            new Example.Preference(new int[] {21, 2}, new int[] {1, 7, 0}, new int[] {12, 3}, 1));
    static final List<Example.Document> DOCUMENTS = List.of(
            new Example.Document(new int[] {3, 1, 4, 1, 5, 9, 2}, 1, 1),
            new Example.Document(new int[] {2, 7, 1, 8}, 2, 1),
            new Example.Document(new int[] {1, 6, 1, 8, 0}, 3, 1),
            new Example.Document(new int[] {1, 4, 1, 4, 2, 1, 3}, 2, 1),
            new Example.Document(new int[] {1, 7, 3, 2}, 1, 1));
    /** Five lines in batches of three: the second step of an epoch is short, and some of four parts are empty. */
    private static final int BATCH = 3;

    static final int STEPS = 3;

    private final boolean lora;
    private final boolean accumulates;

    DividedTraining(boolean lora, boolean accumulates) {
        this.lora = lora;
        this.accumulates = accumulates;
    }

    List<? extends Example> lines() {
        return switch (this) {
            case DOCUMENTS_ALONE -> DOCUMENTS;
            case TWO_LANGUAGES ->
                IntStream.range(0, 5)
                        .mapToObj(i -> new Example.TwoLanguages(PAIRS.get(i), PAIRS.get(4 - i), 1 + i))
                        .toList();
            case SINGLE_COMPLETIONS -> Mismatched.trained(Example.Unpaired.apart(PAIRS), settings(), STEPS, 64);
            default -> PAIRS;
        };
    }

    TrainSettings settings() {
        return new TrainSettings(
                BATCH,
                accumulates ? 1 : 0,
                true,
                new Schedule(Schedule.Kind.LINEAR, 3e-2, 0.1, 0, 30),
                AdamW.DEFAULT,
                0.1,
                1,
                switch (this) {
                    case DOCUMENTS_ALONE, TWO_LANGUAGES, SINGLE_COMPLETIONS -> null;
                    case SORTED_PAIRS -> PreferenceLoss.of(List.of("aot"), List.of(), LossParameters.of(0.5, 0));
                    default -> new PreferenceLoss.DpoSigmoid(0.5, 0);
                },
                this == TWO_LANGUAGES ? new ConsistencyLoss.DirectConsistency(0.5) : null,
                this == SINGLE_COMPLETIONS ? UnpairedLoss.of("kto", new UnpairedLoss.Parameters(0.5, 1, 1)) : null,
                0.5,
                1,
                this == DOCUMENTS_ALONE ? 0 : 2,
                0.7,
                false,
                3,
                UpdateSettings.DEFAULT,
                Packing.STANDARD);
    }

    CausalLm model(Backend backend) {
        return lora
                ? TinyModel.withLora(backend, this == ADAPTER_WITH_DROPOUT ? 0.3 : 0)
                : TinyModel.random(backend, true);
    }

    /**
     * All that a run leaves.
     *
     * @param moments empty where they are divided
     */
    public record Result(
            List<StepLog> logs, List<Double> evalLosses, List<List<Double>> weights, List<List<Double>> moments) {
        /** Where each rank has its own. */
        public Result withoutMoments() {
            return new Result(logs, evalLosses, weights, List.of());
        }
    }

    /** Some steps of it. */
    public Result train(Backend backend, Division division) {
        CausalLm model = model(backend);
        List<? extends Example> lines = lines();
        List<Trainer.Reference> references = this == DOCUMENTS_ALONE ? List.of() : References.of(model, lines, null);
        List<StepLog> logs = new ArrayList<>();
        List<Double> evalLosses = new ArrayList<>();
        List<List<Double>> weights = new ArrayList<>();
        List<List<Double>> moments = new ArrayList<>();
        try (Trainer trainer = new Trainer(
                model,
                settings(),
                lines,
                this == DOCUMENTS_ALONE ? Replay.NONE : Replay.of(DOCUMENTS),
                references,
                new Trainer.EvalLines(lines, references),
                division)) {
            for (int step = 0; step < STEPS; step++) {
                logs.add(withoutSpeed(trainer.step(step)));
                evalLosses.add(trainer.evaluate().loss());
            }
            for (Tensor weight : trainer.trained().weights().tensors()) {
                weights.add(all(backend, weight));
            }
            if (!division.dividesMoments()) {
                trainer.trained().optimizer().saved().forEach(kept -> moments.add(all(backend, kept)));
            }
        }
        if (model.lora() != null) {
            model.lora().slab().close();
        }
        model.parameters().slab().close();
        return new Result(logs, evalLosses, weights, moments);
    }

    static List<Double> all(Backend backend, Tensor tensor) {
        double[] values = new double[(int) tensor.size()];
        backend.read(values, tensor, values.length);
        return DoubleStream.of(values).boxed().toList();
    }

    private static StepLog withoutSpeed(StepLog log) {
        return new StepLog(
                log.step(),
                log.epoch(),
                log.loss(),
                log.gradNorm(),
                log.learningRate(),
                log.numTokens(),
                0,
                log.replayLoss(),
                log.skippedSteps(),
                log.learningRates(),
                log.evalLoss(),
                log.preference(),
                log.evalPreference(),
                log.tokens(),
                log.evalTokens(),
                log.observed());
    }
}
