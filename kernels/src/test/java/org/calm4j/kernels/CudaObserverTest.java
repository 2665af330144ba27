package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.inspect.ActivationStatistics;
import org.calm4j.engine.inspect.GradientProducts;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.References;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.StepObserver;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Watched steps on the GPU, or on its stand-in: the same bits as without, though recorded passes step aside, and the figures of the CPU. */
@Tag("slow")
final class CudaObserverTest {
    private static final List<Example.Preference> PAIRS = List.of(
            new Example.Preference(new int[] {5, 6}, new int[] {7, 8, 0}, new int[] {9, 0}, 1),
            new Example.Preference(new int[] {3}, new int[] {4, 0}, new int[] {4, 9, 0}, 1),
            new Example.Preference(new int[] {1, 2, 3}, new int[] {11}, new int[] {12}, 1));

    @BeforeAll
    static void load() {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
    }

    /** Looks at every second step. */
    private static final class Statistics implements StepObserver {
        private final ActivationStatistics activations;
        private final GradientProducts gradients;
        private final Map<String, double[]> found = new LinkedHashMap<>();

        Statistics(CausalLm model) {
            activations = new ActivationStatistics(model, EnumSet.allOf(ActivationStatistics.Kind.class), 100);
            gradients = new GradientProducts(model);
        }

        @Override
        public Tap tap(int step, int pass, PackedBatch batch) {
            return step % 2 == 0 ? activations.of(batch) : null;
        }

        @Override
        public Map<String, Object> observe(Step step) {
            if (step.number() % 2 == 0) {
                for (var kind : ActivationStatistics.Kind.values()) {
                    found.put(step.number() + " " + kind, activations.figures(kind));
                }
                step.gradient(new int[] {0}, new double[] {1}, gradients.get(0));
                step.gradient(new int[] {1, 2}, new double[] {1, 2}, gradients.get(1));
                found.put(
                        step.number() + " products",
                        Arrays.stream(gradients.products(2))
                                .flatMapToDouble(Arrays::stream)
                                .toArray());
            }
            return Map.of();
        }
    }

    @Test
    void watchedStepsHaveTheSameBitsAndTheFiguresOfTheCpu() {
        List<double[]> weights = new ArrayList<>();
        Map<String, double[]> there = run(new CudaBackend(0, Precision.F32), true, weights);
        run(new CudaBackend(0, Precision.F32), false, weights);
        assertThat(weights.get(0)).isEqualTo(weights.get(1));
        Map<String, double[]> here = run(new ScalarBackend(), true, weights);
        assertThat(there).hasSize(8);
        there.forEach((name, figures) -> assertThat(figures).as(name).containsExactly(here.get(name), within(1e-4)));
    }

    private static Map<String, double[]> run(Backend backend, boolean watched, List<double[]> weights) {
        TrainSettings settings = new TrainSettings(
                3,
                0,
                false,
                new Schedule(Schedule.Kind.LINEAR, 3e-3, 0.1, 0, 30),
                AdamW.DEFAULT,
                0.1,
                1,
                new PreferenceLoss.DpoSigmoid(0.5, 0),
                0.5,
                0,
                0,
                false,
                3);
        try (backend) {
            CausalLm model = TinyModel.random(backend, true);
            Statistics statistics = new Statistics(model);
            try (Parameters parameters = model.parameters();
                    GradientProducts _ = statistics.gradients;
                    Trainer trainer =
                            new Trainer(model, settings, PAIRS, Replay.NONE, References.of(model, PAIRS, null))) {
                if (watched) {
                    trainer.observe(statistics);
                }
                for (int step = 0; step < 5; step++) {
                    trainer.step(step);
                }
                weights.add(parameters.tensors().stream()
                        .flatMapToDouble(tensor -> Arrays.stream(values(backend, tensor)))
                        .toArray());
            }
            return statistics.found;
        }
    }

    private static double[] values(Backend backend, Tensor tensor) {
        double[] values = new double[(int) tensor.size()];
        backend.read(values, tensor, values.length);
        return values;
    }
}
