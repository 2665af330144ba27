package org.calm4j.calm.cli;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Where a model is computed. */
final class DeviceOptions {
    @Option(names = "--device", paramLabel = "auto|cpu|cuda[:N]", defaultValue = "auto", converter = Device.class,
            description = "Where to compute (default: ${DEFAULT-VALUE}).")
    private String device;

    @Option(names = "--threads", paramLabel = "N", defaultValue = "0", converter = Numbers.NotNegative.class,
            description = "Threads of the CPU (default: all).")
    private int threads;

    /** Opens the device and says so in one line. */
    Backend open(CalmCommand command) {
        Backend backend = Backends.open(device, threads);
        command.say("calm: " + backend.describe());
        return backend;
    }

    private static final class Device implements ITypeConverter<String> {
        @Override
        public String convert(String value) {
            if (!value.matches("auto|cpu|cuda(:\\d{1,3})?")) {
                throw new TypeConversionException("'" + value + "' is no device; known: auto, cpu, cuda, cuda:N");
            }
            return value;
        }
    }
}
