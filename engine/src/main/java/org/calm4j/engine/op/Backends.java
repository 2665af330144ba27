package org.calm4j.engine.op;

import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.simd.SimdBackend;

/** Chooses a backend, once, by name. A requested device that is missing is an error, never replaced by another. */
public final class Backends {
    private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,3}))?");

    /**
     * A backend and how it came to be.
     *
     * @param why the reason of an automatic choice; null where the device was named
     */
    public record Choice(Backend backend, String why) {}

    private Backends() {}

    /** The CPU, or the device that is named, in F32. */
    public static Backend open(String device, int threads) {
        return choose(device, threads, Precision.F32).backend();
    }

    /**
     * @param device {@code auto}, {@code cpu} or {@code cuda[:N]}
     * @param threads of the CPU; 0 for all
     * @param precision of products; the CPU has F32 only; null for the device's best
     * @throws CalmException wrong usage: no such name, or not that precision there; failed: no such device here
     */
    public static Choice choose(String device, int threads, Precision precision) {
        Optional<BackendProvider> provider =
                ServiceLoader.load(BackendProvider.class).findFirst();
        Matcher cuda = CUDA.matcher(device);
        if (cuda.matches()) {
            int ordinal = cuda.group(1) == null ? 0 : Integer.parseInt(cuda.group(1));
            return new Choice(
                    provider.orElseThrow(() -> CalmException.failed(
                                    Setting.of("device").at(device), ": this program has no CUDA backend"))
                            .open(ordinal, precision),
                    null);
        }
        if (!device.equals("auto") && !device.equals("cpu")) {
            throw CalmException.usage(Setting.of("device"), " is \"" + device + "\"; known: auto, cpu, cuda, cuda:N");
        }
        String why = null;
        if (device.equals("auto")) {
            String missing =
                    provider.map(p -> String.join("; ", p.missing())).orElse("this program has no CUDA backend");
            if (missing.isEmpty()) {
                return new Choice(provider.orElseThrow().open(0, precision), "there is a GPU");
            }
            why = missing;
        }
        if (precision != null && precision != Precision.F32) {
            throw CalmException.usage(
                    Setting.of("precision").at(precision.name().toLowerCase(Locale.ROOT)),
                    " needs a GPU; the CPU computes in f32" + (why == null ? "" : " (" + why + ")"));
        }
        return new Choice(
                new SimdBackend(threads > 0 ? threads : Runtime.getRuntime().availableProcessors()), why);
    }
}
