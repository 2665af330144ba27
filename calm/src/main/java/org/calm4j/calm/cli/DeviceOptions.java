package org.calm4j.calm.cli;

import java.util.Iterator;
import java.util.Locale;
import org.calm4j.calm.run.OneDeviceEach;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.ranks.Ranks;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Where a model is computed. */
final class DeviceOptions {
    /** For the shell's completion. */
    static final class Devices implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Backends.names().iterator();
        }
    }

    @Option(
            names = "--device",
            paramLabel = "auto|cpu|cuda[:N]",
            defaultValue = "auto",
            converter = Device.class,
            completionCandidates = Devices.class,
            description = "Where to compute (default: ${DEFAULT-VALUE}).")
    private String device;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            converter = Threads.class,
            description = "Threads of the CPU (default: all; with several processes, its share).")
    private int threads;

    @Option(
            names = "--precision",
            paramLabel = "f32|tf32|bf16",
            converter = Operands.class,
            description =
                    "Type of the factors of matrix products; sums are f32 (default: bf16 on a GPU that has it; the CPU computes in f32).")
    private Precision precision;

    /** Products of bf16, unless another precision was given. */
    void bf16() {
        precision = precision == null ? Precision.BF16 : precision;
    }

    /** Opens the device and reports it in one line. */
    Backend open(CalmCommand command) {
        Backends.Choice choice =
                Backends.choose(device, threads(), precision, command.ranks().localRank());
        if (command.isShared()) {
            OneDeviceEach.check(command.ranks(), choice.backend());
        }
        boolean rounds = precision == null && choice.backend().keepsRounded();
        command.say("calm: " + choice.backend().describe()
                + (rounds ? " (the default; --precision f32 rounds nothing)" : "")
                + (choice.why() == null
                        ? ""
                        : " (auto: " + choice.why()
                                + (choice.backend().onHost() ? ")" : "; --device cpu uses the CPU)")));
        return choice.backend();
    }

    /** Threads of the CPU, at least 1: what the system lets this process use, divided among the ranks that may use the same. */
    int threads() {
        return threads > 0
                ? threads
                : Math.max(
                        1,
                        Runtime.getRuntime().availableProcessors()
                                / Ranks.here().sharers());
    }

    private static final class Threads implements ITypeConverter<Integer> {
        private static final int MOST_THREADS = 1024;

        @Override
        public Integer convert(String value) {
            int threads = new NumberConverters.NotNegative().convert(value);
            int processors = Runtime.getRuntime().availableProcessors();
            if (threads > Math.max(MOST_THREADS, processors)) {
                throw new TypeConversionException(
                        "'" + value + "' must be at most " + Math.max(MOST_THREADS, processors) + "; this machine has "
                                + processors + (processors == 1 ? " processor" : " processors"));
            }
            return threads;
        }
    }

    private static final class Device implements ITypeConverter<String> {
        @Override
        public String convert(String value) {
            if (!Backends.isName(value)) {
                throw new TypeConversionException("'" + value + "' is not a device; known: "
                        + String.join(", ", Backends.names()) + ", and cuda:N for one of several");
            }
            return value;
        }
    }

    private static final class Operands implements ITypeConverter<Precision> {
        @Override
        public Precision convert(String value) {
            if (!value.matches("f32|tf32|bf16")) {
                throw new TypeConversionException("'" + value + "' is not a precision; known: f32, tf32, bf16");
            }
            return Precision.valueOf(value.toUpperCase(Locale.ROOT));
        }
    }
}
