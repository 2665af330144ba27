package org.calm4j.engine.op.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.ModelConfig;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.BackendConformance;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.References;
import org.calm4j.engine.train.Schedule;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;

final class SimdBackendTest extends BackendConformance {
    @Override
    protected Backend open() {
        return new SimdBackend(2);
    }

    /** Three DPO steps of a model give the same weights, bit by bit, for 1, 2 and 3 threads. */
    @Test
    void bitsDoNotDependOnThreads() {
        List<Float> one = weightsAfterTraining(1);
        assertThat(weightsAfterTraining(2)).isEqualTo(one);
        assertThat(weightsAfterTraining(3)).isEqualTo(one);
    }

    private static List<Float> weightsAfterTraining(int threads) {
        ModelConfig config = ModelConfig.llama(150, 40, 70, 2, 4, 2, 64, 0);
        List<Example.Preference> pairs = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            pairs.add(new Example.Preference(new int[] {i, 2 * i, 3, 4}, new int[] {i + 1, 9, 0}, new int[] {i + 2, 0}, 1));
        }
        TrainSettings settings = new TrainSettings(20, 7, true, new Schedule(Schedule.Kind.CONSTANT, 1e-3, 0, 0, 3), AdamW.DEFAULT, 0.1, 1,
                new PreferenceLoss.DpoSigmoid(0.1, 0), 0.1, 0, 0, false, 1);
        try (SimdBackend backend = new SimdBackend(threads); Parameters parameters = Parameters.random(backend, config, 3)) {
            CausalLm model = new CausalLm(config, parameters, null);
            try (Trainer trainer = new Trainer(model, settings, pairs, List.of(), References.of(model, pairs, null))) {
                for (int step = 0; step < 3; step++) {
                    trainer.step(step);
                }
            }
            List<Float> weights = new ArrayList<>();
            for (Tensor tensor : parameters.block().tensors()) {
                for (long i = 0; i < tensor.size(); i++) {
                    weights.add((float) tensor.get(i));
                }
            }
            return weights;
        }
    }
}
