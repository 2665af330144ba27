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

    /** Lines of a group stay together in the order of the file; groups are shuffled, anew in each epoch, by the step alone. */
    @Test
    void groupsStayTogether() {
        int[] groups = IntStream.range(0, 100).map(line -> line * line % 7).toArray();
        int[] numbers = IntStream.range(0, 100)
                .map(line -> (int) IntStream.of(groups)
                        .distinct()
                        .takeWhile(g -> g != groups[line])
                        .count())
                .toArray();
        List<List<Integer>> epochs = new ArrayList<>();
        DataOrder order = new DataOrder(100, numbers, 9, true, 1);
        for (int epoch = 0; epoch < 2; epoch++) {
            List<Integer> lines = new ArrayList<>();
            for (int step = 0; step < 12; step++) {
                lines.addAll(
                        IntStream.of(order.batch(12 * epoch + step)).boxed().toList());
            }
            assertThat(lines).hasSize(100).doesNotHaveDuplicates();
            int changes = 0;
            for (int i = 1; i < 100; i++) {
                boolean same = groups[lines.get(i)] == groups[lines.get(i - 1)];
                changes += same ? 0 : 1;
                assertThat(!same || lines.get(i) > lines.get(i - 1)).isTrue();
            }
            assertThat(changes).isEqualTo((int) IntStream.of(groups).distinct().count() - 1);
            epochs.add(lines);
        }
        assertThat(epochs.get(0)).isNotEqualTo(epochs.get(1));
        assertThat(new DataOrder(100, numbers, 9, true, 1).batch(17)).isEqualTo(order.batch(17));
        DataOrder inFileOrder = new DataOrder(4, new int[] {0, 1, 0, 1}, 3, false, 1);
        assertThat(inFileOrder.batch(0)).containsExactly(0, 2, 1);
        assertThat(inFileOrder.batch(1)).containsExactly(3);
    }

    @Test
    void linesOfOnePrompt() {
        Example.Preference a = new Example.Preference(new int[] {1, 2}, new int[] {3}, new int[] {4}, 1);
        Example.Preference b = new Example.Preference(new int[] {1, 2}, new int[] {5}, new int[] {4}, 1);
        Example.Preference c = new Example.Preference(new int[] {1}, new int[] {2}, new int[] {4}, 1);
        Example.Document document = new Example.Document(new int[] {1, 2}, 1, 1);
        List<Example> lines = List.of(a, c, document, b, document, c);
        assertThat(Prompts.groups(lines)).containsExactly(0, 1, 2, 0, 3, 1);
        assertThat(Prompts.together(lines, new int[] {5, 4, 3, 1, 0})).containsExactly(5, 1, 4, 3, 0);
    }
}
