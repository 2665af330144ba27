package org.calm4j.engine.op;

import java.util.ServiceLoader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.simd.SimdBackend;

/** Chooses a backend, once, by name. A device that was asked for and is not there is an error, never another device. */
public final class Backends {
    private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,3}))?");

    private Backends() {
    }

    /**
     * @param device {@code auto}, {@code cpu} or {@code cuda[:N]}
     * @param threads of the CPU; 0 for all
     * @throws CalmException wrong usage: no such name; failed: no such device here
     */
    public static Backend open(String device, int threads) {
        Matcher cuda = CUDA.matcher(device);
        if (cuda.matches()) {
            int ordinal = cuda.group(1) == null ? 0 : Integer.parseInt(cuda.group(1));
            return ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).findFirst()
                    .orElseThrow(() -> CalmException.failed("--device " + device + ": this program has no CUDA backend\n"
                            + "`calm doctor` says what is missing; --device cpu runs without", null)).open(ordinal);
        }
        if (!device.equals("auto") && !device.equals("cpu")) {
            throw CalmException.usage("--device is \"" + device + "\"; known: auto, cpu, cuda, cuda:N");
        }
        return new SimdBackend(threads > 0 ? threads : Runtime.getRuntime().availableProcessors());
    }
}
