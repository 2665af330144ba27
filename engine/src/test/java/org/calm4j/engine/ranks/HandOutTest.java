package org.calm4j.engine.ranks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HandOutTest {
    private static final int PARTS = 40;

    private final Map<Integer, Integer> makers = new ConcurrentHashMap<>();
    private final Map<Integer, String> taken = new TreeMap<>();

    private HandOut.Work<String> work(int rank, long slowRank) {
        return new HandOut.Work<>() {
            @Override
            public String make(int part) {
                makers.merge(part, 1000 + rank, Integer::sum);
                if (rank == slowRank) {
                    sleep(30);
                } else {
                    sleep(1);
                }
                return "part " + part;
            }

            @Override
            public byte[] pack(String made) {
                return made.getBytes();
            }

            @Override
            public String unpack(byte[] bytes) {
                return new String(bytes);
            }

            @Override
            public void take(int part, String made) {
                assertThat(taken.put(part, made)).isNull();
            }
        };
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5, 50})
    void everyPartIsMadeOnceAndTaken(int size) {
        List<Integer> parts =
                IntStream.range(0, PARTS).filter(i -> i % 7 != 0).boxed().toList();
        RanksInThreads.run(size, ranks -> {
            HandOut.run(ranks, ranks.isFirst() ? parts : List.of(), work(ranks.rank(), size - 1));
            return null;
        });
        assertThat(new ArrayList<>(taken.keySet())).isEqualTo(parts);
        taken.forEach((part, made) -> assertThat(made).isEqualTo("part " + part));
        assertThat(makers.values()).allMatch(sum -> sum < 2000).hasSize(parts.size());
        if (size == 5) {
            assertThat(makers.values().stream().filter(maker -> maker == 1004).count())
                    .isBetween(1L, parts.size() / 5L - 1);
        }
    }

    @Test
    void whatCannotBeTakenEndsIt() {
        assertThatThrownBy(() -> RanksInThreads.run(2, ranks -> {
                    HandOut.Work<String> good = work(ranks.rank(), -1);
                    HandOut.run(ranks, List.of(0, 1, 2, 3), new HandOut.Work<String>() {
                        @Override
                        public String make(int part) {
                            sleep(ranks.isFirst() ? 100 : 1);
                            return good.make(part);
                        }

                        @Override
                        public byte[] pack(String made) {
                            return good.pack(made);
                        }

                        @Override
                        public String unpack(byte[] bytes) {
                            throw CalmException.failed("the disk is full", null);
                        }

                        @Override
                        public void take(int part, String made) {
                            good.take(part, made);
                        }
                    });
                    return null;
                }))
                .hasStackTraceContaining("the disk is full");
    }
}
