package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import it.unimi.dsi.fastutil.ints.IntSets;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaBuffer;
import org.calm4j.kernels.driver.CudaGraph;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.kernels.driver.Device;
import org.calm4j.kernels.driver.Gpu;
import org.calm4j.kernels.driver.KernelImage;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Machines on which something is missing, too old or too small: what works all the same, and what is said. */
@Tag("slow")
final class CudaFailuresTest {
    private static final Path STAND_IN =
            Path.of("..", "native", "target", "standin").toAbsolutePath().normalize();
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
        Path kernels = Path.of(
                        CudaFailuresTest.class.getResource("registers.txt").toURI())
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
            assertThatThrownBy(() -> backend.allocate(3L << 30))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("asked for 3.0 GiB, free are 1.0 GiB of 1.0 GiB")
                    .hasMessageContaining("microBatchSize 1")
                    .hasMessageContaining("gradientCheckpointing")
                    .hasMessageContaining("loraRank 8");
            // What fits is still given.
            backend.allocate(1 << 20).close();
        }
    }

    @Test
    void debugModeNamesTheKernelItsGridAndItsTensors() throws Exception {
        assertThat(child("plain", "fault", "1"))
                .contains(
                        "CUDA_ERROR_ILLEGAL_ADDRESS",
                        "kernel embedding_forward",
                        "grid 2 × 1 × 1",
                        "block 32",
                        "rows[2, 8]:F32",
                        "table[3, 8]:F32",
                        "index[2]:I32");
    }

    /** Found when the host waits, on another line than the launch. */
    @Test
    void withoutDebugModeAFaultSaysHowItsKernelIsFound() throws Exception {
        assertThat(child("plain", "fault", "0"))
                .contains("CUDA_ERROR_ILLEGAL_ADDRESS", Device.DEBUG + "=1 finds the kernel");
    }

    /** A kernel's fault may come out at any call; all say the same to people. */
    @Test
    void aFaultIsFoundByAnUploadToo() throws Exception {
        assertThat(child("plain", "upload", "0"))
                .contains("CUDA_ERROR_ILLEGAL_ADDRESS", "sending data", Device.DEBUG + "=1 finds the kernel");
    }

    /** Whatever each single one answers; and a second time nothing is closed. */
    @Test
    void afterAFaultAllIsGivenBack() throws Exception {
        assertThat(child("plain", "close", "0"))
                .contains("CUDA_ERROR_ILLEGAL_ADDRESS")
                .endsWith("left:")
                .doesNotContain("not for people");
    }

    @Test
    void whatDoesNotOpenLeavesNothingBehind() {
        StandIn.memory(8 << 20);
        assertThatThrownBy(() -> new CudaBackend(0, Precision.F32))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("cuBLAS asked for");
        assertThat(StandIn.live()).isEmpty();
        assertThat(StandIn.report()).isEmpty();
    }

    @Test
    void aRecordingThatFailsSaysWhyAndIsGivenUp() {
        try (Gpu gpu = new Gpu(0, false)) {
            CudaBuffer buffer = gpu.memory().allocate(8, "a test");
            Tensor x = new Tensor("x", buffer, 0, DType.F32, 2);
            assertThatThrownBy(() -> new CudaGraph(gpu.device(), () -> {
                        gpu.memory().zero(x);
                        throw new IllegalStateException("the work's own");
                    }))
                    .hasMessage("the work's own");
            // What may not be recorded ends the recording by itself.
            assertThatThrownBy(() -> new CudaGraph(gpu.device(), () -> {
                        gpu.memory().zero(x);
                        gpu.memory().allocate(8, "another test");
                    }))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining("CUDA_ERROR_STREAM_CAPTURE");
            StandIn.reset();
            gpu.memory().zero(x);
            gpu.device().synchronize();
            buffer.close();
        }
        assertThat(StandIn.live()).isEmpty();
        assertThat(StandIn.report()).isEmpty();
    }

    /** What was to grow and could not is not taken for what it was before. */
    @Test
    void tablesAreSentAgainAfterMemoryRanOut() {
        try (CudaBackend b = new CudaBackend(0, Precision.F32);
                Slab slab = new Slab.Plan()
                        .add("w", DType.F32, 3, 1, 8)
                        .add("q", DType.F32, 3, 1, 8)
                        .add("out", DType.F32, 3, 1, 8)
                        .add("lse", DType.F32, 3, 1)
                        .allocate(b::allocate)) {
            Segments few = new Segments();
            few.add(0, 3, 0, 3, Segments.NONE);
            Segments many = new Segments();
            for (int i = 0; i < 3000; i++) {
                many.add(i % 3, 1, i % 3, 1, Segments.NONE);
            }
            many.add(0, 2, 0, 2, Segments.NONE);
            Consumer<Segments> attention = segments -> b.attentionForward(
                    slab.get("out"), slab.get("lse"), slab.get("q"), slab.get("q"), slab.get("q"), segments, 1, 0);
            IntConsumer step = tensors -> {
                List<Tensor> w = Collections.nCopies(tensors, slab.get("w"));
                b.adamW(w, w, w, w, AdamW.DEFAULT, 0, new double[tensors], 0, 1);
            };
            for (boolean again : new boolean[] {false, true}) {
                attention.accept(few);
                step.accept(1);
                StandIn.memory(1);
                assertThatThrownBy(() -> attention.accept(many)).hasMessageContaining("segments asked for");
                assertThatThrownBy(() -> step.accept(3000)).hasMessageContaining("the optimizer's table asked for");
                StandIn.memory(MEMORY);
            }
            attention.accept(few);
            step.accept(1);
            b.read(new double[3], slab.get("lse"), 3);
        }
    }

    /** Its marks and what the kernel declares itself are together more than a block has without asking. */
    @Test
    void theLargestVocabularyWithARepetitionPenalty() {
        int vocabulary = 330_000;
        try (CudaBackend b = new CudaBackend(0, Precision.F32);
                Slab slab =
                        new Slab.Plan().add("logits", DType.F32, 1, vocabulary).allocate(b::allocate)) {
            double[] logits = new double[vocabulary];
            logits[vocabulary - 1] = 2;
            logits[7] = 1.9;
            b.write(slab.get("logits"), logits, vocabulary);
            Draws draws = new Draws();
            draws.add(0, 1, 0, IntSets.singleton(vocabulary - 1));
            b.sample(draws, slab.get("logits"), new TokenFilter(0, 0, 1, 0, 1.5));
            assertThat(draws.token(0)).isEqualTo(7);
        }
    }

    /** Backends share the context that the CUDA runtime has too; it ends with the last one. */
    @Test
    void backendsShareTheDevicesPrimaryContext() {
        try (CudaBackend first = new CudaBackend(0, Precision.F32)) {
            assertThat(StandIn.live()).contains("1 holds of the primary context");
            try (Slab slab = new Slab.Plan().add("x", DType.F32, 2).allocate(first::allocate)) {
                first.write(slab.get("x"), new double[] {3, 4}, 2);
                try (CudaBackend second = new CudaBackend(0, Precision.BF16)) {
                    assertThat(StandIn.live()).contains("2 holds of the primary context");
                    second.allocate(8).close();
                }
                double[] x = new double[2];
                first.read(x, slab.get("x"), 2);
                assertThat(x).containsExactly(3, 4);
            }
        }
        assertThat(StandIn.live()).isEmpty();
        try (CudaBackend lost = new CudaBackend(0, Precision.F32)) {
            lost.allocate(8);
        }
        assertThat(StandIn.live()).isEqualTo("1 device allocations (8 bytes) when a context ended");
    }

    /** A folder that cannot be written to keeps nobody from starting. */
    @Test
    void withoutACacheACubinIsMadeAnew() throws Exception {
        Path file = Files.createTempFile("no-folder", null);
        try {
            assertThat(child("plain", file.toString(), "0", "cubin", String.valueOf(BEFORE_PTX_7)))
                    .contains("[32.0, 3200.0]");
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void whereThereIsOnlyCublas13TheShimPassesCallsOn() throws Exception {
        assertThat(child("cuda13", "product", "0"))
                .startsWith("cuBLAS version 13, from the library path (")
                .endsWith("/cuda13/libcublas.so.13): [32.0, 3200.0]");
    }

    /** No driver, no other device: one line with what is missing and what to do. */
    @Test
    void withoutADriver() throws Exception {
        String said = child("none", "product", "0");
        assumeFalse(said.startsWith("cuBLAS"), "this machine has a driver");
        assertThat(said)
                .startsWith("device cuda: no CUDA driver (libcuda.so.1)")
                .contains("install")
                .endsWith("device cpu runs without");
    }

    /** The one line that a process of its own prints, where the libraries of a build of the stand-in are. */
    private static String child(String libraries, String what, String debug) throws Exception {
        return child(libraries, System.getenv("XDG_CACHE_HOME"), debug, what);
    }

    private static String child(String libraries, String cache, String debug, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Djava.library.path=" + System.getProperty("java.library.path"),
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                CudaChild.class.getName()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().put("LD_LIBRARY_PATH", STAND_IN.resolve(libraries).toString());
        builder.environment().put(Device.DEBUG, debug);
        builder.environment().put("XDG_CACHE_HOME", cache);
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(process.waitFor()).isZero();
        return out;
    }
}
