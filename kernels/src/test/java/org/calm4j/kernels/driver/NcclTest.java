package org.calm4j.kernels.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.calm4j.engine.CalmException;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What two ranks can do wrong with each other is found by the stand-in of NCCL, or gives what a slow GPU would give: the bytes from before. */
final class NcclTest {
    private static final int BYTES = 256;
    private static final byte BEFORE = 1;
    private static final byte SENT = 2;

    /** A rank with a device, a stream, and memory that it gives or takes. */
    private final class Rank {
        private final int rank;
        private final Device device;
        private final MemorySegment communicator;
        private final DevicePointer memory = new DevicePointer();
        private final Pointer pinned = new Pointer();

        Rank(int rank, byte[] id) {
            this.rank = rank;
            device = new Device(rank);
            communicator = nccl.join(2, id, rank);
            opened.add(this);
            JCudaDriver.cuMemAlloc(memory, BYTES);
            JCudaDriver.cuMemsetD8Async(
                    memory, rank == 0 ? SENT : BEFORE, BYTES, device.stream().handle());
            device.synchronize();
            JCudaDriver.cuMemAllocHost(pinned, BYTES);
        }

        void give(long bytes) {
            nccl.exchange(
                    memory.address(),
                    bytes,
                    0,
                    0,
                    1 - rank,
                    communicator,
                    device.stream().address());
        }

        void take(long bytes) {
            nccl.exchange(
                    0,
                    0,
                    memory.address(),
                    bytes,
                    1 - rank,
                    communicator,
                    device.stream().address());
        }

        /** What it queued would wait for a peer that is gone too. */
        void close() {
            nccl.abort(communicator);
            device.close();
        }

        byte[] read(CUstream stream) {
            JCudaDriver.cuMemcpyDtoHAsync(pinned, memory, BYTES, stream);
            JCudaDriver.cuStreamSynchronize(stream);
            byte[] bytes = new byte[BYTES];
            pinned.getByteBuffer(0, BYTES).get(bytes);
            return bytes;
        }
    }

    private final Queue<Rank> opened = new ConcurrentLinkedQueue<>();
    private Nccl nccl;

    @BeforeEach
    void twoDevices() {
        assumeTrue(StandIn.isPresent(), "the stand-in has as many GPUs as one wants");
        StandIn.devices(2);
        CudaNatives.loadDriver();
        JCudaDriver.cuInit(0);
        nccl = Nccl.load();
    }

    @AfterEach
    void oneDevice() {
        if (StandIn.isPresent()) {
            StandIn.reset();
            opened.forEach(Rank::close);
            StandIn.ncclSeconds(100);
            StandIn.devices(1);
            StandIn.resetAll();
        }
    }

    /** Two ranks, each in a thread of its own; those that failed in the driver, which has one error that sticks for both, are left out. */
    private void ranks(Consumer<Rank> work) {
        byte[] id = nccl.uniqueId();
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            IntStream.range(0, 2)
                    .mapToObj(rank -> CompletableFuture.runAsync(
                            () -> {
                                try {
                                    Rank one = new Rank(rank, id);
                                    work.accept(one);
                                    one.device.synchronize();
                                } catch (CalmException | CudaException e) {
                                    // What the stand-in reports says more.
                                }
                            },
                            threads))
                    .toList()
                    .forEach(CompletableFuture::join);
        }
    }

    @Test
    void equalCountsInOrder() {
        byte[][] came = {null};
        ranks(one -> {
            if (one.rank == 0) {
                one.give(BYTES);
            } else {
                one.take(BYTES);
                came[0] = one.read(one.device.stream().handle());
            }
        });
        assertThat(StandIn.report()).isEmpty();
        assertThat(came[0]).containsOnly(SENT);
    }

    @Test
    void unequalCounts() {
        ranks(one -> {
            if (one.rank == 0) {
                one.give(BYTES);
            } else {
                one.take(BYTES / 2);
            }
        });
        assertThat(StandIn.report()).contains("ncclRecv of 128 bytes on rank 1 from 0: 256 were sent");
    }

    @Test
    void aPeerThatDoesNotTake() {
        StandIn.ncclSeconds(1);
        ranks(one -> {
            if (one.rank == 0) {
                one.give(BYTES);
                one.give(BYTES);
            }
        });
        assertThat(StandIn.report())
                .contains("ncclSend of 256 bytes on rank 0 to 1: the other side did not come within 1 s");
    }

    @Test
    void aPeerThatDoesNotJoin() {
        StandIn.ncclSeconds(1);
        try (Device device = new Device(0)) {
            device.enter();
            assertThatThrownBy(() -> nccl.join(2, nccl.uniqueId(), 0))
                    .isInstanceOf(CalmException.class)
                    .hasMessage("NCCL: ncclCommInitRank failed: remote process exited or there was a network error "
                            + "(ncclCommInitRank: of 2 ranks 1 came within 1 s); NCCL_DEBUG=INFO says more");
        }
    }

    /** What was queued on another stream waits for nothing. */
    @Test
    void memoryThatIsReadBeforeItHasCome() {
        byte[][] came = {null};
        ranks(one -> {
            if (one.rank == 0) {
                one.give(BYTES);
            } else {
                CUstream other = new CUstream();
                JCudaDriver.cuStreamCreate(other, 1);
                one.take(BYTES);
                came[0] = one.read(other);
            }
        });
        if (StandIn.isCheck()) {
            assertThat(StandIn.report()).contains("reads what ncclRecv writes, and nothing waits for that one");
        } else {
            assertThat(came[0]).containsOnly(BEFORE);
        }
    }

    @Test
    void memoryThatIsWrittenBeforeItHasLeft() {
        byte[][] came = {null};
        ranks(one -> {
            if (one.rank == 0) {
                CUstream other = new CUstream();
                JCudaDriver.cuStreamCreate(other, 1);
                one.give(BYTES);
                JCudaDriver.cuMemsetD8Async(one.memory, (byte) 3, BYTES, other);
                JCudaDriver.cuStreamSynchronize(other);
            } else {
                one.take(BYTES);
                came[0] = one.read(one.device.stream().handle());
            }
        });
        if (StandIn.isCheck()) {
            assertThat(StandIn.report()).contains("writes what ncclSend reads, and nothing waits for that one");
        } else {
            assertThat(came[0]).doesNotContain(SENT);
        }
    }

    /** NCCL knows devices by the CUDA runtime, which uses their primary contexts. */
    @Test
    void aContextOfOnesOwn() {
        CUcontext context = new CUcontext();
        JCudaDriver.cuCtxCreate(context, 0, new CUdevice());
        try {
            assertThatThrownBy(() -> nccl.join(1, nccl.uniqueId(), 0))
                    .hasMessageContaining("the current context is not the primary one of a device");
        } finally {
            JCudaDriver.cuCtxDestroy(context);
        }
    }

    @Test
    void oneRankWithoutNcclIsEnoughToGoWithout() {
        assertThat(NcclWire.whyNot(List.of("2.21.5\nrank 0 on a (from /x)", "\nrank 1 on b has no libnccl.so.2")))
                .isEqualTo("rank 1 on b has no libnccl.so.2");
        assertThat(NcclWire.whyNot(List.of("2.21.5\nrank 0 on a (from /x)", "2.21.5\nrank 1 on b (from /y)")))
                .isNull();
    }

    @Test
    void differentVersionsAreRefused() {
        assertThatThrownBy(() -> NcclWire.whyNot(List.of(
                        "2.21.5\nrank 0 on a (from /x)",
                        "2.18.3\nrank 1 on b (from /y)",
                        "2.21.5\nrank 2 on c (from /x)")))
                .isInstanceOf(CalmException.class)
                .hasMessage("the ranks have different versions of NCCL: rank 1 on b (from /y) has 2.18.3, "
                        + "rank 0 on a (from /x) has 2.21.5; install one on all");
    }
}
