package org.calm4j.engine.ranks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** This process as native libraries see it: Java's own copies of environment and streams do not reach them. */
@SuppressWarnings("restricted")
final class Native {
    private static final Linker LINKER = Linker.nativeLinker();

    private Native() {}

    /** Sets an environment variable unless it is set. */
    static void setenv(String name, String value) {
        try (Arena arena = Arena.ofConfined()) {
            var function = LINKER.downcallHandle(
                    LINKER.defaultLookup().findOrThrow("setenv"),
                    FunctionDescriptor.of(
                            ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
            int _ = (int) function.invokeExact(arena.allocateFrom(name), arena.allocateFrom(value), 0);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** The processors that this process may run on, as Linux writes them; empty elsewhere. */
    static String allowedProcessors() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("Cpus_allowed_list:"))
                    .findFirst()
                    .orElse("");
        } catch (IOException | UncheckedIOException e) {
            return "";
        }
    }

    /** Processors of the machine, whichever this process may use; where the system does not say, those. */
    static int machineProcessors() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            int count = (int) lines.filter(line -> line.startsWith("processor")).count();
            return Math.max(count, Runtime.getRuntime().availableProcessors());
        } catch (IOException | UncheckedIOException e) {
            return Runtime.getRuntime().availableProcessors();
        }
    }

    /** Makes descriptor {@code to} another name of {@code from}. */
    static void dup2(int from, int to) {
        try {
            var function = LINKER.downcallHandle(
                    LINKER.defaultLookup().findOrThrow("dup2"),
                    FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
            int _ = (int) function.invokeExact(from, to);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
