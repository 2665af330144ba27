package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Machines on which something is missing, too old or too small: what works all the same, and what is said. */
final class CudaFailuresTest {
    private static final Path STAND_IN = Path.of("..", "native", "target", "standin").toAbsolutePath().normalize();
    private static final int CUDA_12_6 = 12_060;
    private static final int BEFORE_PTX_7 = 10_020;
    private static final long MEMORY = 4L << 30;

    @BeforeEach
    void onTheStandIn() {
        assumeTrue(StandIn.isPresent() && CudaProbe.run().usable(), "the stand-in driver");
        assumeFalse(StandIn.isCheck(), "once is enough");
        CudaNatives.loadCublas();
    }

    @AfterEach
    void asItWas() {
        if (StandIn.isPresent()) {
            StandIn.device(9, 0, CUDA_12_6);
            StandIn.memory(MEMORY);
            StandIn.reset();
        }
    }

    /** A driver that does not know this PTX, or has no compiler, gets a cubin of JCuda's compiler, which is made once. */
    @Test
    void aDriverThatCannotCompileGetsACubin() throws IOException {
        StandIn.device(9, 0, BEFORE_PTX_7);
        Path cache = Path.of(System.getenv("XDG_CACHE_HOME")).resolve("calm4j");
        try (Backend backend = new CudaBackend(0, Precision.F32)) {
            assertThat(backend.describe()).contains("compiled by JCuda's compiler");
            var buffer = backend.allocate(8);
            buffer.close();
        }
        List<Path> cubins = cubins(cache);
        assertThat(cubins).isNotEmpty().allMatch(file -> file.toString().endsWith("-sm_90.cubin"));
        FileTime made = Files.getLastModifiedTime(cubins.getLast());
        try (Backend backend = new CudaBackend(0, Precision.F32)) {
            assertThat(backend.describe()).contains("compiled by JCuda's compiler");
        }
        assertThat(cubins(cache)).isEqualTo(cubins);
        assertThat(Files.getLastModifiedTime(cubins.getLast())).isEqualTo(made);
        StandIn.device(9, 0, CUDA_12_6);
        try (Backend backend = new CudaBackend(0, Precision.F32)) {
            assertThat(backend.describe()).contains("compiled by the driver");
        }
    }

    /** Kernels that a build has for one architecture are taken there, and only there. */
    @Test
    void compiledKernelsComeFirst() throws Exception {
        Path kernels = Path.of(CudaFailuresTest.class.getResource("registers.txt").toURI())
                .resolveSibling(KernelImage.compiledFor("sm_90", KernelImage.ptx()));
        // What the stand-in knows as a fatbin.
        Files.write(kernels, new byte[] {0x50, (byte) 0xED, 0x55, (byte) 0xBA, 0, 0, 0, 0});
        try {
            try (Backend backend = new CudaBackend(0, Precision.F32)) {
                assertThat(backend.describe()).contains("kernels compiled for sm_90a");
            }
            StandIn.device(8, 0, CUDA_12_6);
            try (Backend backend = new CudaBackend(0, Precision.F32)) {
                assertThat(backend.describe()).contains("compiled by the driver");
            }
            // Nothing that a driver takes.
            StandIn.device(9, 0, CUDA_12_6);
            Files.write(kernels, new byte[8]);
            try (Backend backend = new CudaBackend(0, Precision.F32)) {
                assertThat(backend.describe()).contains("compiled by the driver");
            }
        } finally {
            Files.delete(kernels);
        }
    }

    private static List<Path> cubins(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    @Test
    void tooLittleMemorySaysWhatWasAskedWhatIsFreeAndWhatHelps() {
        StandIn.memory(1L << 30);
        try (Backend backend = new CudaBackend(0, Precision.F32)) {
            assertThatThrownBy(() -> backend.allocate(3L << 30)).isInstanceOf(CalmException.class)
                    .hasMessageContaining("asked for 3.0 GiB, free are 1.0 GiB of 1.0 GiB").hasMessageContaining("--micro-batch-size 1")
                    .hasMessageContaining("--gradient-checkpointing").hasMessageContaining("--lora-rank");
            // What fits is still given.
            backend.allocate(1 << 20).close();
        }
    }

    @Test
    void debugModeNamesTheKernelItsGridAndItsTensors() throws Exception {
        assertThat(child("plain", "fault", "1")).contains("CUDA_ERROR_ILLEGAL_ADDRESS", "kernel embedding_forward", "grid 2 × 1 × 1",
                "block 32", "rows[2, 8]:F32", "table[3, 8]:F32", "index[2]:I32");
    }

    /** Found when the host waits, on another line than the launch. */
    @Test
    void withoutDebugModeAFaultSaysHowItsKernelIsFound() throws Exception {
        assertThat(child("plain", "fault", "0")).contains("CUDA_ERROR_ILLEGAL_ADDRESS", Gpu.DEBUG + "=1 finds the kernel");
    }

    @Test
    void whereThereIsOnlyCublas13TheShimPassesCallsOn() throws Exception {
        assertThat(child("cuda13", "product", "0")).isEqualTo("cuBLAS version 13, from the library path: [32.0, 3200.0]");
    }

    /** No driver, no other device: one line with what is missing and what to do. */
    @Test
    void withoutADriver() throws Exception {
        String said = child("none", "product", "0");
        assumeFalse(said.startsWith("cuBLAS"), "this machine has a driver");
        assertThat(said).startsWith("--device cuda: no CUDA driver (libcuda.so.1)").contains("install").endsWith("--device cpu runs without");
    }

    /** The one line that a process of its own prints, where the libraries of a build of the stand-in are. */
    private static String child(String libraries, String what, String debug) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1", "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-Djava.library.path=" + System.getProperty("java.library.path"), "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), CudaChild.class.getName(),
                what));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().put("LD_LIBRARY_PATH", STAND_IN.resolve(libraries).toString());
        builder.environment().put(Gpu.DEBUG, debug);
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(process.waitFor()).isZero();
        return out;
    }
}
