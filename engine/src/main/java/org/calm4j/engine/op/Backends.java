package org.calm4j.engine.op;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.ServiceLoader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.op.simd.SimdBackend;

/** Chooses a backend, once, by name. A requested device that is missing is an error, never replaced by another. */
public final class Backends {
    private static final List<String> OURS = List.of("auto", "cpu");
    private static final Pattern DEVICE = Pattern.compile("([a-z]+)(?::(\\d{1,3}))?");

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

    /** What may be asked for, but for the {@code :N} that chooses among several devices of a provider. */
    public static List<String> names() {
        return names(providers());
    }

    /** Whether a device may be asked for by this name, wherever it is missing. */
    public static boolean isName(String device) {
        Matcher named = DEVICE.matcher(device);
        return named.matches()
                && (named.group(2) == null || !OURS.contains(named.group(1)))
                && names().contains(named.group(1));
    }

    /**
     * @param device {@code auto}, {@code cpu}, or a provider's name with or without {@code :N}, such as {@code cuda}
     * @param threads of the CPU; 0 for all
     * @param precision of products; the CPU has F32 only; null for the device's best
     * @throws CalmException wrong usage: no such name, or not that precision there; failed: no such device here
     */
    public static Choice choose(String device, int threads, Precision precision) {
        return choose(device, threads, precision, 0);
    }

    /** @param place of this process among those of the machine, each of which takes a device of its own where none is named */
    public static Choice choose(String device, int threads, Precision precision, int place) {
        return choose(device, threads, precision, place, providers());
    }

    static Choice choose(String device, int threads, Precision precision, int place, List<BackendProvider> providers) {
        Matcher named = DEVICE.matcher(device);
        boolean auto = device.equals("auto");
        if (!auto && !device.equals("cpu")) {
            BackendProvider provider = providers.stream()
                    .filter(each -> named.matches() && each.name().equals(named.group(1)))
                    .findFirst()
                    .orElseThrow(() -> CalmException.usage(
                            Setting.of("device"),
                            " is \"" + device + "\"; known: " + String.join(", ", names(providers))));
            int ordinal = named.group(2) == null ? own(provider, place) : Integer.parseInt(named.group(2));
            return new Choice(provider.open(ordinal, precision), null);
        }
        List<String> missing = new ArrayList<>();
        for (BackendProvider provider : auto ? providers : List.<BackendProvider>of()) {
            List<String> own = provider.missing();
            if (own.isEmpty()) {
                return new Choice(provider.open(own(provider, place), precision), "there is a GPU");
            }
            missing.addAll(own);
        }
        String why = !auto ? null : providers.isEmpty() ? "this program has no other" : String.join("; ", missing);
        if (precision != null && precision != Precision.F32) {
            throw CalmException.usage(
                    Setting.of("precision").at(precision.name().toLowerCase(Locale.ROOT)),
                    " needs a GPU; the CPU computes in f32" + (why == null ? "" : " (" + why + ")"));
        }
        return new Choice(
                new SimdBackend(threads > 0 ? threads : Runtime.getRuntime().availableProcessors()), why);
    }

    /** The only one, which the launcher may have chosen for this process, or that of its place. */
    private static int own(BackendProvider provider, int place) {
        return place == 0 || provider.devices() == 1 ? 0 : place;
    }

    private static List<BackendProvider> providers() {
        return ServiceLoader.load(BackendProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .toList();
    }

    private static List<String> names(List<BackendProvider> providers) {
        List<String> names = new ArrayList<>(OURS);
        providers.forEach(provider -> names.add(provider.name()));
        return names;
    }
}
