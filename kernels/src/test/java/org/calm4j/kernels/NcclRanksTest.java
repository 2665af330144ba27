package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.ranks.DeviceLinks;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.ranks.RanksInThreads;
import org.calm4j.engine.ranks.Wire;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.DividedTraining;
import org.calm4j.engine.train.division.Division;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Ranks that are threads, with a GPU each, and the stand-in of NCCL between them. */
final class NcclRanksTest {
    private static final int PARTS = 4;
    private static final int ELEMENTS = 100_003;
    /** That a transfer waits when the program does not give it up. */
    private static final int MOST_SECONDS = 60;

    @BeforeEach
    void devices() {
        assumeTrue(StandIn.isPresent(), "the stand-in has as many GPUs as one wants");
        StandIn.devices(PARTS);
        StandIn.ncclSeconds(MOST_SECONDS);
    }

    @AfterEach
    void oneDevice() {
        if (StandIn.isPresent()) {
            StandIn.devices(1);
            StandIn.resetAll();
        }
    }

    /** The tree is that of one process. */
    @Test
    @Tag("slow")
    void twoRanksDoNotDecideBits() {
        assumeFalse(StandIn.isCheck(), "four ranks are enough there");
        assertSame(DividedTraining.ADAPTER_WITH_DROPOUT, 2);
    }

    /** Products round to BF16, so that weights that came from their owners are rounded anew. */
    @Test
    @Tag("slow")
    void fourRanksThatDivideTheMomentsDoNotDecideBits() {
        assertSame(DividedTraining.PAIRS_AND_REPLAY, 4);
    }

    private static void assertSame(DividedTraining training, int size) {
        DividedTraining.Result one;
        try (Backend backend = open(0)) {
            one = training.train(backend, new Division(PARTS, Ranks.alone())).withoutMoments();
        }
        assertThat(run(size, (ranks, backend) -> training.train(backend, new Division(PARTS, ranks, size == PARTS))
                        .withoutMoments()))
                .allSatisfy(result -> assertThat(result).isEqualTo(one));
        assertThat(StandIn.report()).isEmpty();
        assertThat(StandIn.live()).isEmpty();
    }

    /** More exchanges than may be under way, in more pieces than one, one side of which is shorter or empty. */
    @Test
    void exchanges() {
        List<Boolean> right = run(2, (ranks, backend) -> {
            Wire wire = ((DeviceLinks) backend).link(ranks).wire();
            boolean all = true;
            try (Buffer memory = backend.allocate(8L * ELEMENTS)) {
                for (int round = 0; round < 9; round++) {
                    int mine = ranks.isFirst() ? ELEMENTS : round * 1000;
                    int theirs = ranks.isFirst() ? round * 1000 : ELEMENTS;
                    Tensor give = new Tensor("give", memory, 0, DType.F32, mine);
                    Tensor take = new Tensor("take", memory, 4L * ELEMENTS, DType.F32, theirs);
                    backend.write(give, numbers(mine, ranks.rank() + round), mine);
                    wire.exchange(give, take, 1 - ranks.rank());
                    wire.finish();
                    double[] came = new double[theirs];
                    backend.read(came, take, theirs);
                    all &= Arrays.equals(came, numbers(theirs, 1 - ranks.rank() + round));
                }
            }
            return all;
        });
        assertThat(right).containsExactly(true, true);
        assertThat(StandIn.report()).isEmpty();
        assertThat(StandIn.live()).isEmpty();
    }

    private static double[] numbers(int count, int seed) {
        return IntStream.range(0, count).mapToDouble(i -> seed * 1000 + i).toArray();
    }

    @Test
    void whoWaitsTooLongSaysForWhom() {
        assertThat(exchangeWithNobody(2, () -> {}))
                .startsWith("rank 0 on here has waited 2 s for rank 1; look whether it hangs")
                .contains("CALM_RANK_TIMEOUT");
    }

    /** What the library notices behind the host's back. */
    @Test
    void aRankThatIsGoneIsNamed() {
        assertThat(exchangeWithNobody(MOST_SECONDS, () -> StandIn.loseRank(1)))
                .startsWith("NCCL lost rank 1: remote process exited");
    }

    /** Returns what the first rank says. When it fails, nothing on the device waits for the peer any more, and memory can be freed. */
    private static String exchangeWithNobody(long limit, Runnable then) {
        CountDownLatch failed = new CountDownLatch(1);
        String said = RanksInThreads.run(2, limit, ranks -> {
                    try (Backend backend = open(ranks.rank())) {
                        Wire wire = ((DeviceLinks) backend).link(ranks).wire();
                        if (ranks.isFirst()) {
                            try (Buffer memory = backend.allocate(8)) {
                                Tensor give = new Tensor("give", memory, 0, DType.F32, 1);
                                wire.exchange(give, new Tensor("take", memory, 4, DType.F32, 1), 1);
                                then.run();
                                wire.finish();
                            }
                        }
                        failed.await(20, TimeUnit.SECONDS);
                    } catch (CalmException e) {
                        return e.getMessage();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    } finally {
                        if (ranks.isFirst()) {
                            failed.countDown();
                        }
                    }
                    return "";
                })
                .getFirst();
        assertThat(StandIn.live()).isEmpty();
        return said;
    }

    private static Backend open(int device) {
        return new CudaBackendProvider().open(device, Precision.BF16);
    }

    private static <T> List<T> run(int size, BiFunction<Ranks, Backend, T> work) {
        return RanksInThreads.run(size, MOST_SECONDS, ranks -> {
            try (Backend backend = open(ranks.rank())) {
                assertThat(((DeviceLinks) backend).link(ranks).description()).isEqualTo("NCCL 2.21.5");
                return work.apply(ranks, backend);
            }
        });
    }
}
