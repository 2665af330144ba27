package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class DataOrderTest {
    @Test
    void fileOrderWithAShortLastBatch() {
        DataOrder order = new DataOrder(5, 2, false, 1);
        assertThat(order.stepsPerEpoch()).isEqualTo(3);
        assertThat(order.batch(0)).containsExactly(0, 1);
        assertThat(order.batch(2)).containsExactly(4);
        assertThat(order.batch(3)).containsExactly(0, 1);
        assertThat(List.of(order.at(4), order.at(5), order.at(14))).containsExactly(4, 0, 4);
    }

    @Test
    void shuffledEpochsTakeEachLineOnceAndDiffer() {
        DataOrder order = new DataOrder(100, 7, true, 1);
        List<Integer> first = new ArrayList<>();
        List<Integer> second = new ArrayList<>();
        for (int step = 0; step < order.stepsPerEpoch(); step++) {
            first.addAll(IntStream.of(order.batch(step)).boxed().toList());
        }
        for (int step = 0; step < order.stepsPerEpoch(); step++) {
            second.addAll(IntStream.of(order.batch(order.stepsPerEpoch() + step))
                    .boxed()
                    .toList());
        }
        assertThat(first).doesNotHaveDuplicates().hasSize(100).isNotEqualTo(second);
        assertThat(second).doesNotHaveDuplicates().hasSize(100);
    }

    /** A resumed run asks for a later step first. */
    @Test
    void dependsOnTheStepAlone() {
        assertThat(new DataOrder(100, 7, true, 1).batch(29)).isEqualTo(walked(29));
    }

    private static int[] walked(int steps) {
        DataOrder order = new DataOrder(100, 7, true, 1);
        for (int step = 0; step < steps; step++) {
            order.batch(step);
        }
        return order.batch(steps);
    }
}
