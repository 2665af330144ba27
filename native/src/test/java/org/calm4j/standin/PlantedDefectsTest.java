package org.calm4j.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import org.calm4j.standin.StandIn.Order;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each detector finds its defect in a kernel, in every order of threads, and is silent where the same kernel is right. In the plain build
 * some defects show by wrong numbers only, and those between blocks not at all: that is what the check build is for.
 */
class PlantedDefectsTest {
    private static final int GRID = 3;
    private static final int BLOCK = 32;

    /**
     * @param reported what the check build says, a regular expression: which of two threads comes first depends on the order
     * @param plain what the plain build says, so too; null when only the numbers are wrong, empty when it sees nothing
     */
    record Defect(String kernel, String reported, String plain) {}

    private static final String RACE_OR_UNWRITTEN = "race on shared memory|shared memory that nobody wrote";

    private static final List<Defect> DEFECTS = List.of(
            new Defect(
                    "write_behind_end",
                    "out of bounds: byte 384 of the allocation of 384 bytes, at planted.cu",
                    "byte 384 of the allocation of 384"),
            new Defect(
                    "write_before_start",
                    "out of bounds: byte -4 of the allocation of 384 bytes, at planted.cu",
                    "byte -[1-4] of the allocation of 384"),
            new Defect("read_far_behind_end", "block 0, thread 7: read of 4 bytes", "at planted.cu"),
            new Defect("read_before_start", "block 0, thread 7: read of 4 bytes", "at planted.cu"),
            new Defect("atomic_behind_end", "an atomic out of bounds: byte 384", "byte 384 of the allocation of 384"),
            new Defect("no_barrier_before_read", RACE_OR_UNWRITTEN, null),
            new Defect("no_barrier_before_next_tile", "race on shared memory", null),
            new Defect("no_warp_barrier", RACE_OR_UNWRITTEN, null),
            new Defect("two_blocks_write_a_word", "race on global memory at byte 0: two writes", ""),
            new Defect("block_reads_what_another_writes", "race on global memory|global memory that nobody wrote", ""),
            new Defect("threads_write_one_half_word", "race on shared memory", ""),
            new Defect(
                    "divergent_barrier",
                    RACE_OR_UNWRITTEN + "|20 of 32 threads wait; 12 have left",
                    "20 of 32 threads wait; 12 have left"),
            new Defect(
                    "two_barriers_meet",
                    "threads wait at the one at planted.cu",
                    "threads wait at the one at planted.cu"),
            new Defect("shuffle_with_lanes_that_left", "has left the kernel", "has left the kernel"),
            new Defect("shuffle_mask_without_caller", "the mask 0000ffff", "the mask 0000ffff"),
            new Defect("shared_memory_unwritten", "shared memory that nobody wrote", null),
            new Defect("global_memory_unwritten", "global memory that nobody wrote: byte", null),
            new Defect("misaligned_vector", "is not aligned to 16 bytes", "is not aligned to 16 bytes"),
            new Defect(
                    "dynamic_shared_overrun",
                    "write of 4 bytes out of bounds of dynamic shared memory: byte 128 of 128",
                    "out of bounds of dynamic shared memory at planted.cu"),
            new Defect("static_shared_overrun", "index 64 is out of bounds of", "index 64 is out of bounds of"),
            new Defect(
                    "asynchronous_copy_not_waited_for",
                    "shared memory that nobody wrote",
                    "before 1 asynchronous copies"),
            new Defect(
                    "asynchronous_copy_outlives_its_thread",
                    "before 1 asynchronous copies",
                    "before 1 asynchronous copies"),
            new Defect("null_pointer", "null pointer", "null pointer"));

    record Case(Defect defect, Order order) {
        @Override
        public String toString() {
            return defect.kernel + " " + order;
        }
    }

    static Stream<Case> cases() {
        return DEFECTS.stream().flatMap(defect -> Stream.of(Order.values()).map(order -> new Case(defect, order)));
    }

    private final Order before = StandIn.isPresent() ? StandIn.order() : null;

    @BeforeEach
    void needsTheStandIn() {
        assumeTrue(StandIn.isPresent(), "no stand-in driver was built");
    }

    @AfterEach
    void forget() {
        if (StandIn.isPresent()) {
            StandIn.order(before, 1);
            StandIn.resetAll();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theDefectIsCaughtAndNothingElse(Case planted) {
        Defect defect = planted.defect;
        StandIn.order(planted.order, 20261125);
        float[] wanted = mirrored();
        assertThat(run(defect.kernel, false)).containsExactly(wanted);
        assertThat(StandIn.report()).isEmpty();

        String said = StandIn.isCheck() ? defect.reported : defect.plain;
        if (said == null) {
            // A single random order may happen to be a good one.
            if (planted.order != Order.RANDOM) {
                assertThat(run(defect.kernel, true)).isNotEqualTo(wanted);
            }
        } else if (said.isEmpty()) {
            assertThat(run(defect.kernel, true)).containsExactly(wanted);
        } else {
            assertThatThrownBy(() -> run(defect.kernel, true)).isInstanceOf(CudaException.class);
            assertThat(StandIn.report()).containsPattern(said).contains(defect.kernel);
        }
    }

    @Test
    void everyPlantedDefectIsListed() throws IOException {
        List<String> planted = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of("src/test/cuda/planted.cu"))) {
            if (line.startsWith("PLANTED(")) {
                planted.add(line.substring(8, line.indexOf(')')));
            }
        }
        assertThat(DEFECTS.stream().map(Defect::kernel)).containsExactlyElementsOf(planted);
    }

    private static float[] run(String kernel, boolean defect) {
        try (Device device = new Device()) {
            int n = GRID * BLOCK;
            CUdeviceptr in = Device.copy(numbers());
            CUdeviceptr out = Device.allocate(4L * n);
            device.launch(
                    kernel,
                    GRID,
                    BLOCK,
                    4 * BLOCK,
                    null,
                    Pointer.to(out),
                    Pointer.to(in),
                    Pointer.to(new int[] {n}),
                    Pointer.to(new int[] {defect ? 1 : 0}));
            float[] result = Device.read(out, n);
            JCudaDriver.cuMemFree(in);
            JCudaDriver.cuMemFree(out);
            return result;
        }
    }

    private static float[] numbers() {
        float[] x = new float[GRID * BLOCK];
        for (int i = 0; i < x.length; i++) {
            x[i] = i + 1;
        }
        return x;
    }

    private static float[] mirrored() {
        float[] x = numbers();
        float[] turned = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            turned[i] = x[i / BLOCK * BLOCK + BLOCK - 1 - i % BLOCK];
        }
        return turned;
    }
}
