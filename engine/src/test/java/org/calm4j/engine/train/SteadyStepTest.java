package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.config.Llama;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.train.optim.Schedule;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A step takes its memory before the first one: thousands of them take no more, and next to nothing of the heap. */
@Tag("slow")
final class SteadyStepTest {
    private static final int STEPS = 2000;
    /** Until the vectors of the operations are compiled, each is an object. */
    private static final int WARM = 1500;

    @Test
    void twoThousandStepsAreFlat() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        ModelConfig config = Llama.config(50, 16, 32, 2, 2, 1, 64, 1);
        try (Backend backend = new SimdBackend(2);
                Parameters parameters = Parameters.random(backend, config, 5)) {
            CausalLm model = new CausalLm(config, parameters, null);
            List<Example.Preference> lines = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                lines.add(new Example.Preference(tokens(i, 4 + i % 5), tokens(i + 1, 3 + i % 7), tokens(i + 2, 6), 1));
            }
            TrainSettings settings = new TrainSettings(
                    8,
                    4,
                    true,
                    new Schedule(Schedule.Kind.CONSTANT, 1e-4, 0, 0, STEPS),
                    AdamW.DEFAULT,
                    0.1,
                    1,
                    new PreferenceLoss.DpoSigmoid(0.1, 0),
                    0.1,
                    0,
                    0,
                    false,
                    3);
            List<Trainer.Reference> references = References.of(model, lines, null);
            try (Trainer trainer = new Trainer(model, settings, lines, Replay.NONE, references)) {
                for (int step = 0; step < WARM; step++) {
                    trainer.step(step);
                }
                long taken = HostBuffer.taken();
                long live = live();
                long before = threads.getTotalThreadAllocatedBytes();
                for (int step = WARM; step < STEPS; step++) {
                    trainer.step(step);
                }
                double heap = (double) (threads.getTotalThreadAllocatedBytes() - before) / (STEPS - WARM);
                assertThat(HostBuffer.taken()).isEqualTo(taken);
                // Views of a batch's size, for its two passes, whatever its tokens are: 83 kB.
                assertThat(heap).as("bytes of the heap a step").isLessThan(200_000);
                assertThat(live() - live).as("what stays of it").isLessThan(1_000_000);
            }
        }
    }

    private static long live() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static int[] tokens(int seed, int count) {
        return IntStream.range(0, count).map(i -> (seed * 31 + i * 17) % 50).toArray();
    }
}
