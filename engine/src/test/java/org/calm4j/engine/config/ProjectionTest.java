package org.calm4j.engine.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

final class ProjectionTest {
    private static List<Projection> all() {
        List<Projection> all = new ArrayList<>();
        for (int expert = Projection.SHARED; expert < 5; expert++) {
            for (Projection.Role role : Projection.Role.values()) {
                all.add(new Projection(role, expert));
            }
        }
        return all;
    }

    /** Two matrices never drop the same elements. */
    @Test
    void numbersDiffer() {
        List<Long> numbers = all().stream()
                .flatMap(each -> List.of(each.number(0), each.number(1), each.number(4095)).stream())
                .toList();
        assertThat(numbers).doesNotHaveDuplicates();
    }

    /** Dropout of a resumed run goes on as that of an older checkpoint. */
    @Test
    void numbersStayAsTheyAre() {
        assertThat(Projection.Q.number(0)).isZero();
        assertThat(Projection.DOWN.number(0)).isEqualTo(7);
        assertThat(Projection.O.number(3)).isEqualTo(3 * 8 + 4);
    }

    @Test
    void experts() {
        Projection second = new Projection(Projection.Role.UP, 1);
        assertThat(second).isNotEqualTo(Projection.UP).hasToString("UP1");
        assertThat(new TreeSet<>(all()))
                .hasSameSizeAs(all())
                .startsWith(Projection.Q, new Projection(Projection.Role.Q, 0));
    }
}
