package org.calm4j.calm.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;

/** Each line is in one of the two parts; which one, the seed decides. */
final class HeldOutTest {
    @Test
    void everyLineIsInOnePart() {
        HeldOut parts = HeldOut.of(1000, 0.1, 7);
        assertThat(parts.held()).hasSize(100).isSorted();
        assertThat(parts.trained()).hasSize(900).isSorted();
        assertThat(IntStream.concat(IntStream.of(parts.held()), IntStream.of(parts.trained()))
                        .sorted())
                .containsExactlyElementsOf(IntStream.range(0, 1000).boxed().toList());
        assertThat(HeldOut.of(1000, 0.1, 7).held()).isEqualTo(parts.held());
        assertThat(HeldOut.of(1000, 0.1, 8).held()).isNotEqualTo(parts.held());
        assertThat(HeldOut.of(1000, 100, 7).held()).isEqualTo(parts.held());
    }

    /** ⌈1001 · 0.1⌉. */
    @Test
    void sharesAreRoundedUp() {
        assertThat(HeldOut.of(1001, 0.1, 7).held()).hasSize(101);
        assertThat(HeldOut.of(List.of("a", "b", "c"), new int[] {0, 2})).containsExactly("a", "c");
        assertThatThrownBy(() -> HeldOut.of(3, 3, 1))
                .isInstanceOf(CalmException.class)
                .hasMessage("valSize holds out 3 of the data's 3 lines; none are left");
        assertThatThrownBy(() -> HeldOut.of(1, 0.5, 1)).isInstanceOf(CalmException.class);
    }
}
