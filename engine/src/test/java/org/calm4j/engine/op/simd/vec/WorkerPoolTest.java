package org.calm4j.engine.op.simd.vec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

final class WorkerPoolTest {
    private static final int MOST = 9;
    private static final long ALWAYS_SHARED = Long.MAX_VALUE;

    /** Rounds of changing sizes in quick succession, more threads than cores: late workers of an old round must not touch a new one. */
    @Test
    @Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void eachIndexOfEachRoundRunsOnce() {
        try (WorkerPool pool = new WorkerPool(5)) {
            AtomicIntegerArray ran = new AtomicIntegerArray(MOST);
            WorkerPool.Task task = (index, worker) -> ran.incrementAndGet(index);
            int[] expected = new int[MOST];
            for (int round = 0; round < 200_000; round++) {
                int count = 2 + round % (MOST - 1);
                pool.run(task, count, ALWAYS_SHARED);
                for (int i = 0; i < count; i++) {
                    expected[i]++;
                }
                int at = round % count;
                if (ran.get(at) != expected[at]) {
                    assertThat(ran.get(at))
                            .as("index %d after round %d", at, round)
                            .isEqualTo(expected[at]);
                }
            }
            for (int i = 0; i < MOST; i++) {
                assertThat(ran.get(i)).isEqualTo(expected[i]);
            }
        }
    }

    @Test
    void aFailureReachesTheCallerAndThePoolGoesOn() {
        try (WorkerPool pool = new WorkerPool(2)) {
            assertThatThrownBy(() -> pool.run(
                            (index, worker) -> {
                                throw new IllegalArgumentException("no " + index);
                            },
                            4,
                            ALWAYS_SHARED))
                    .hasMessageContaining("no ");
            AtomicIntegerArray ran = new AtomicIntegerArray(3);
            pool.run((index, worker) -> ran.incrementAndGet(index), 3, ALWAYS_SHARED);
            assertThat(ran.get(2)).isEqualTo(1);
        }
    }
}
