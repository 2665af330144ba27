package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class CachePagesTest {
    private static final int PAGE = CachePages.PAGE;

    @Test
    void rowsLieTogetherWhereMemoryIsAmple() {
        CachePages pages = new CachePages(12);
        List<CachePages.Rows> sequences = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            sequences.add(pages.begin(3 * PAGE - 5));
        }
        for (int size = 1; size <= 3 * PAGE - 5; size++) {
            for (CachePages.Rows rows : sequences) {
                assertThat(rows.grow(size)).isTrue();
            }
        }
        for (CachePages.Rows rows : sequences) {
            assertThat(rows.runs()).isEqualTo(1);
            assertThat(rows.row(2 * PAGE + 1)).isEqualTo(rows.row(0) + 2 * PAGE + 1);
        }
        assertThat(pages.free()).isZero();
    }

    @Test
    void aSequenceTakesWhatIsLeft() {
        CachePages pages = new CachePages(5);
        CachePages.Rows first = pages.begin(4 * PAGE);
        CachePages.Rows second = pages.begin(4 * PAGE);
        assertThat(first.grow(1)).isTrue();
        // One page was promised to nobody, the others come from the end of the promise.
        assertThat(second.grow(3 * PAGE)).isTrue();
        assertThat(second.row(0)).isEqualTo(4 * PAGE);
        assertThat(second.row(PAGE)).isEqualTo(3 * PAGE);
        assertThat(first.grow(2 * PAGE)).isTrue();
        assertThat(first.runs()).isEqualTo(1);
        assertThat(first.grow(3 * PAGE)).isFalse();
        second.free();
        assertThat(pages.free()).isEqualTo(3);
        assertThat(first.grow(4 * PAGE)).isTrue();
        assertThat(first.runs()).isEqualTo(1);
        first.free();
        assertThat(pages.free()).isEqualTo(5);
        assertThat(pages.begin(5 * PAGE).grow(5 * PAGE)).isTrue();
    }

    /** Whatever happens, no row has two owners, and positions keep their rows. */
    @Test
    void noRowHasTwoOwners() {
        Random random = new Random(3);
        CachePages pages = new CachePages(20);
        List<CachePages.Rows> sequences = new ArrayList<>();
        for (int round = 0; round < 5_000; round++) {
            int what = random.nextInt(10);
            if (what == 0 && sequences.size() < 12) {
                sequences.add(pages.begin(1 + random.nextInt(8 * PAGE)));
            } else if (what == 1 && !sequences.isEmpty()) {
                sequences.remove(random.nextInt(sequences.size())).free();
            } else if (!sequences.isEmpty()) {
                CachePages.Rows rows = sequences.get(random.nextInt(sequences.size()));
                List<Integer> before = positions(rows);
                boolean grown = rows.grow(rows.size() + 1 + random.nextInt(PAGE));
                assertThat(positions(rows).subList(0, before.size())).isEqualTo(before);
                assertThat(grown || pages.free() == 0).isTrue();
            }
            Map<Integer, CachePages.Rows> owners = new HashMap<>();
            int rowsTaken = 0;
            for (CachePages.Rows rows : sequences) {
                rowsTaken += rows.size();
                for (int row : positions(rows)) {
                    assertThat(row).isBetween(0, 20 * PAGE - 1);
                    assertThat(owners.put(row, rows)).isNull();
                }
            }
            assertThat(pages.free()).isEqualTo(20 - rowsTaken / PAGE);
        }
    }

    private static List<Integer> positions(CachePages.Rows rows) {
        List<Integer> positions = new ArrayList<>();
        for (int run = 0, position = 0; run < rows.runs(); run++) {
            for (int first = position; position < rows.end(run); position++) {
                assertThat(rows.row(position)).isEqualTo(rows.start(run) + position - first);
                positions.add(rows.row(position));
            }
        }
        return positions;
    }
}
