package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Packing;
import org.calm4j.engine.train.Replay;
import org.calm4j.engine.train.TrainSettings;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.optim.Muon;
import org.calm4j.engine.train.optim.Optimizer;
import org.calm4j.engine.train.optim.OptimizerMemory;
import org.calm4j.engine.train.optim.ParameterGroups;
import org.calm4j.engine.train.optim.Schedule;
import org.calm4j.engine.train.optim.ScheduleFreeAdamW;
import org.calm4j.engine.train.optim.UpdateSettings;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Steps of optimizers beside the scalar backend's: losses, gradients and the evaluated model. */
final class CudaOptimizerTest {
    private static final List<Example.Document> DOCUMENTS = List.of(
            new Example.Document(new int[] {3, 1, 4, 1, 5, 9, 2}, 1, 1),
            new Example.Document(new int[] {2, 7, 1, 8}, 2, 1),
            new Example.Document(new int[] {1, 6, 1, 8, 0}, 3, 1));

    /** In BF16 a step must be seen by the products after it, which read rounded copies of the weights. */
    @ParameterizedTest
    @CsvSource({
        "muon, llama, F32, 1e-3",
        "muon, gpt2, F32, 1e-3",
        "muon, llama, BF16, 0.05",
        "schedule_free_adamw, gpt2, F32, 1e-3",
        "schedule_free_adamw, llama, BF16, 0.15"
    })
    void steps(String optimizer, String kind, Precision precision, double tolerance) {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
        // The build of the stand-in that checks every access is slow.
        int steps = StandIn.isPresent() && StandIn.isCheck() ? 1 : 4;
        Optimizer wanted = optimizer.equals("muon")
                ? new Muon(0.95, Muon.AdjustRate.MATCH_RMS_ADAMW, null)
                : new ScheduleFreeAdamW(0, 2);
        List<Double> right = train(new ScalarBackend(), kind, wanted, steps);
        List<Double> given = train(new CudaBackend(0, precision), kind, wanted, steps);
        for (int i = 0; i < right.size(); i++) {
            assertThat(given.get(i)).as("number %d", i).isCloseTo(right.get(i), within(tolerance * right.get(i)));
        }
        double first = right.getFirst();
        assertThat(right.getLast()).as("the model moves").isLessThan(steps > 1 ? 0.9 * first : 2 * first);
    }

    private static List<Double> train(Backend backend, String kind, Optimizer optimizer, int steps) {
        TrainSettings settings = new TrainSettings(
                3,
                0,
                false,
                new Schedule(Schedule.Kind.CONSTANT, 3e-2, 0, 0, 30),
                AdamW.DEFAULT,
                0.1,
                1,
                null,
                null,
                null,
                0,
                1,
                0,
                0,
                false,
                3,
                new UpdateSettings(0, ParameterGroups.NONE, 0, OptimizerMemory.F32, optimizer),
                Packing.STANDARD);
        List<Double> numbers = new ArrayList<>();
        try (backend) {
            CausalLm model = TinyModel.random(backend, kind);
            try (var parameters = model.parameters();
                    Trainer trainer = new Trainer(
                            model,
                            settings,
                            DOCUMENTS,
                            Replay.NONE,
                            List.of(),
                            new Trainer.EvalLines(DOCUMENTS, List.of()))) {
                assertThat(parameters.tensors()).isNotEmpty();
                IntStream.range(0, steps).mapToObj(trainer::step).forEach(log -> {
                    numbers.add(log.loss());
                    numbers.add(log.gradNorm());
                });
                numbers.add(trainer.evaluate().loss());
            }
        }
        return numbers;
    }
}
