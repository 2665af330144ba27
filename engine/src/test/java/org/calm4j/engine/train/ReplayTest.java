package org.calm4j.engine.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;

final class ReplayTest {
    private static final List<Example.Document> SMALL = documents(3, 100);
    private static final List<Example.Document> LARGE = documents(50, 200);

    /** Documents that their first token tells apart. */
    private static List<Example.Document> documents(int count, int first) {
        return IntStream.range(0, count)
                .mapToObj(i -> new Example.Document(new int[] {first + i, 1}, 1, 1))
                .toList();
    }

    @Test
    void oneSourceGoesRoundInTheOrderOfItsEpochs() {
        Replay.Order order = Replay.of(SMALL).new Order(2, false, 7);
        assertThat(taken(order, 0)).containsExactly(100, 101);
        assertThat(taken(order, 1)).containsExactly(102, 100);
        assertThat(taken(order, 2)).containsExactly(101, 102);
    }

    /** Three of four documents come from the small file, in every step, and each file is walked through evenly. */
    @Test
    void sharesHoldInEveryStep() {
        Replay.Order order = new Replay(List.of(SMALL, LARGE), List.of(3.0, 1.0)).new Order(4, true, 7);
        List<Integer> large = new ArrayList<>();
        for (int step = 0; step < 50; step++) {
            List<Integer> taken = taken(order, step);
            assertThat(taken.stream().filter(token -> token < 200))
                    .as("step " + step)
                    .hasSize(3)
                    .doesNotHaveDuplicates();
            taken.stream().filter(token -> token >= 200).forEach(large::add);
        }
        assertThat(large).hasSize(50).doesNotHaveDuplicates();
    }

    /** A resumed run asks for a later step first, and nothing depends on what was asked before. */
    @Test
    void aFunctionOfTheStep() {
        Replay replay = new Replay(List.of(SMALL, LARGE), List.of(0.3, 0.7));
        Replay.Order walked = replay.new Order(5, true, 1);
        List<List<Integer>> steps =
                IntStream.range(0, 20).mapToObj(step -> taken(walked, step)).toList();
        assertThat(taken(replay.new Order(5, true, 1), 13)).isEqualTo(steps.get(13));
        assertThat(taken(walked, 4)).isEqualTo(steps.get(4));
        assertThat(taken(replay.new Order(5, true, 2), 13)).isNotEqualTo(steps.get(13));
    }

    @Test
    void whatIsNoMixture() {
        assertThatThrownBy(() -> new Replay(List.of(SMALL), List.of(1.0, 2.0))).isInstanceOf(CalmException.class);
        assertThatThrownBy(() -> new Replay(List.of(SMALL), List.of(0.0))).isInstanceOf(CalmException.class);
        assertThatThrownBy(() -> new Replay(List.of(List.of()), List.of(1.0))).isInstanceOf(CalmException.class);
        assertThat(Replay.of(List.of())).isEqualTo(Replay.NONE);
    }

    private static List<Integer> taken(Replay.Order order, int step) {
        return order.documents(step).stream()
                .map(document -> document.tokens()[0])
                .toList();
    }
}
