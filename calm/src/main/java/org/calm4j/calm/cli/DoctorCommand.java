package org.calm4j.calm.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.ranks.MpiProbe;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.kernels.driver.NcclProbe;
import picocli.CommandLine.Command;

/** {@code calm doctor}. */
@Command(
        name = "doctor",
        description = "Shows what this machine offers, what is missing, and what to do about it.",
        footer = {"", "Example: calm doctor --json"})
final class DoctorCommand extends CalmCommand {
    /**
     * @param heap bytes that Java objects may take; models live outside the heap
     * @param memory bytes of the machine
     * @param cpu what computes without a GPU
     * @param nccl for several processes with a GPU each
     * @param mpi for several processes
     * @param advice what to do about what is missing
     */
    private record Findings(
            String version,
            String jdk,
            @JsonProperty("java_home") String javaHome,
            int processors,
            long heap,
            long memory,
            String cpu,
            CudaProbe cuda,
            NcclProbe nccl,
            MpiProbe mpi,
            List<String> advice) {}

    @Override
    void run() {
        String cpu;
        try (Backend backend = Backends.open("cpu", 0)) {
            cpu = backend.describe();
        }
        CudaProbe cuda = CudaProbe.run();
        List<String> advice = new ArrayList<>();
        long memory = memory();
        if (memory > 0 && memory < 2L << 30) {
            advice.add("less than 2 GiB of memory: the demo needs about 1 GiB");
        }
        advice.addAll(cuda.missing());
        MpiProbe mpi = MpiProbe.run(System.getenv());
        advice.addAll(mpi.advice());
        Findings findings = new Findings(
                Version.calm4j(),
                Version.jvm(),
                System.getProperty("java.home"),
                Runtime.getRuntime().availableProcessors(),
                Runtime.getRuntime().maxMemory(),
                memory,
                cpu,
                cuda,
                NcclProbe.run(),
                mpi,
                advice);
        result(findings, text(findings));
    }

    private static long memory() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
                ? system.getTotalMemorySize()
                : 0;
    }

    private static String text(Findings found) {
        StringBuilder text = new StringBuilder();
        row(text, "calm4j", found.version);
        row(text, "JDK", found.jdk + ", " + found.javaHome);
        row(text, "processors", String.valueOf(found.processors));
        row(text, "memory", gib(found.memory) + ", of it Java heap " + gib(found.heap));
        row(text, "CPU backend", found.cpu);
        row(text, "CUDA driver", found.cuda.driver() == null ? "none" : "CUDA " + found.cuda.driver());
        for (CudaProbe.Device device : found.cuda.devices()) {
            row(
                    text,
                    "CUDA device",
                    device.name() + ", compute capability " + device.computeCapability() + ", " + gib(device.memory())
                            + ", products in " + device.precision() + " unless --precision is given");
        }
        row(text, "cuBLAS", found.cuda.cublas() == null ? "none" : found.cuda.cublas());
        row(text, "CUDA kernels", found.cuda.kernels());
        row(
                text,
                "NCCL",
                found.nccl.version() == null
                        ? "none; only several processes with a GPU each need it: " + found.nccl.missing()
                        : found.nccl.version() + " (from " + found.nccl.from() + ")");
        row(
                text,
                "MPI",
                found.mpi.libraries().isEmpty()
                        ? "none; only several processes need it"
                        : found.mpi.libraries().stream()
                                .map(each -> each.version() + " (" + each.file() + ", the ABI of " + each.abi() + ")")
                                .collect(Collectors.joining(", ")));
        row(text, "launcher", found.mpi.launcher() == null ? "none" : found.mpi.launcher());
        found.advice.forEach(line -> row(text, "missing", line));
        return text.append(
                        found.cuda.usable() ? "Nothing is missing." : "The CPU does everything; a GPU is not needed.")
                .toString();
    }

    private static void row(StringBuilder text, String name, String value) {
        text.append(String.format(Locale.ROOT, "%-12s %s%n", name, value));
    }

    private static String gib(long bytes) {
        return String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
    }
}
