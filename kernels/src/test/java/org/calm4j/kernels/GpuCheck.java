package org.calm4j.kernels;

import java.nio.file.Path;
import java.util.List;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * What is run on a machine with a GPU, without a build: the tests of this module, then timings. {@code kernels/gpu-check} packs it.
 *
 * <p>Arguments: {@code test}, {@code bench}, or both; {@code quick} for the operations alone, which a sanitizer makes slow; {@code tiny} for
 * sizes that the stand-in can do.
 */
final class GpuCheck {
    /** Rows as benchmarks/history has them, to be added there. */
    private static final String ROWS = "gpu-check.csv";

    /** A line a test; without it, all tests run again. */
    private static final String TESTS = "gpu-check-tests.txt";

    private static final List<String> KNOWN = List.of("test", "bench", "quick", "tiny");

    private GpuCheck() {}

    public static void main(String[] arguments) {
        List<String> wanted = List.of(arguments);
        if (wanted.isEmpty() || !KNOWN.containsAll(wanted)) {
            System.err.println("gpu-check: what to run: " + String.join(", ", KNOWN));
            System.exit(2);
        }
        CudaProbe probe = CudaProbe.run();
        if (!probe.usable()) {
            System.err.println("gpu-check: " + String.join("; ", probe.missing()));
            System.exit(1);
        }
        CudaNatives.loadCublas();
        boolean passed = true;
        if (wanted.contains("test") || wanted.contains("quick")) {
            passed = test(wanted.contains("quick"));
        }
        if (wanted.contains("bench")) {
            new GpuBench(wanted.contains("tiny") ? 32 : 1, Path.of(ROWS)).run();
        }
        System.exit(passed ? 0 : 1);
    }

    private static boolean test(boolean operations) {
        Path file = Path.of(System.getProperty("calm.tests", TESTS));
        TestLog log = new TestLog(file, System.out);
        List<Class<?>> classes = operations
                ? List.of(CudaBackendConformanceTest.class, Bf16AttentionTest.class)
                : List.of(
                        CudaBackendConformanceTest.class,
                        CudaBf16ConformanceTest.class,
                        Bf16AttentionTest.class,
                        RoundedWeightsTest.class,
                        CudaModelTest.class,
                        NcclAloneTest.class,
                        PtxTest.class);
        LauncherFactory.create()
                .execute(
                        LauncherDiscoveryRequestBuilder.request()
                                .selectors(classes.stream()
                                        .map(DiscoverySelectors::selectClass)
                                        .toList())
                                .filters(log.filter())
                                .build(),
                        log);
        System.out.println((log.failures() == 0 ? "no test failed" : log.failures() + " tests failed")
                + "; what each did is in " + file);
        return log.failures() == 0;
    }
}
