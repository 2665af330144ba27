package org.calm4j.calm.option;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import org.calm4j.engine.Setting;

/** What is measured inside a model while it is trained; nothing here decides what it learns. */
@OptionRecord
public record InspectOptions(
        @Option(value = "Steps between measurements; default ${DEFAULT-VALUE}.", label = "N", standard = "10")
        int every,

        @Option(
                value = "Some of ${COMPLETION-CANDIDATES}; default: all that the data have what it takes for.",
                label = "NAME,…",
                standard = "",
                choices = InspectOptions.Statistics.class)
        List<String> statistics,

        @Option(
                value =
                        "Tokens of a step whose activations are looked at; default ${DEFAULT-VALUE}. What they take in time is the same however large the step is.",
                label = "N",
                standard = "128")
        int tokens,

        @Option(
                value =
                        "Share of a step's lines whose gradients are taken again, for noise_scale and gradient_cosine; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "0.125")
        double share,

        @Option(
                value =
                        "For cka: lines with id, language, and text or input_ids; the same ids in all languages, as for inspect similarity.",
                label = "FILE")
        Path probe,

        @Option(
                value = "Steps between cka, which takes a forward pass over {probe}; default ten times {every}.",
                label = "N")
        Integer probeEvery,

        @Option(
                value =
                        "Standard deviations from the running mean at which a step's loss or gradient norm is an outlier; 0: none is; default ${DEFAULT-VALUE}.",
                label = "X",
                standard = "4")
        double outlierZ) {
    public static final String ACTIVATION_NORM = "activation_norm";
    public static final String DEAD_UNITS = "dead_units";
    public static final String ATTENTION_ENTROPY = "attention_entropy";
    public static final String NOISE_SCALE = "noise_scale";
    public static final String MARGINS = "margins";
    public static final String GRADIENT_COSINE = "gradient_cosine";
    public static final String CKA = "cka";

    private static final List<String> NAMES =
            List.of(ACTIVATION_NORM, DEAD_UNITS, ATTENTION_ENTROPY, NOISE_SCALE, MARGINS, GRADIENT_COSINE, CKA);

    /** All that {@code statistics} may name. */
    static final class Statistics implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return NAMES.iterator();
        }
    }

    public InspectOptions {
        statistics = List.copyOf(statistics);
        Setting.of("every").check(every > 0, "must be at least 1");
        for (String name : statistics) {
            Setting.of("statistics")
                    .check(NAMES.contains(name), "has no " + name + "; there are " + String.join(", ", NAMES));
        }
        Setting.of("tokens").check(tokens > 0, "must be at least 1");
        Setting.of("share").check(share > 0 && share <= 1, "must be above 0 and at most 1");
        Setting.of("probe_every").check(probeEvery == null || probeEvery > 0, "must be at least 1");
        Setting.of("statistics")
                .check(probe != null || !statistics.contains(CKA), "with cka needs ", Setting.of("probe"));
        Setting.of("outlier_z").check(outlierZ >= 0, "must not be below 0");
    }

    /** Whether a statistic is asked for by name. */
    public boolean names(String statistic) {
        return statistics.contains(statistic);
    }

    /** Whether a statistic is measured if that is possible. */
    public boolean wants(String statistic) {
        return statistics.isEmpty() || names(statistic);
    }

    /** Steps between measurements of the probe. */
    public int everyProbe() {
        return probeEvery == null ? 10 * every : probeEvery;
    }
}
