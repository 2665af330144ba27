package org.calm4j.engine.config;

import java.util.Arrays;
import java.util.Objects;
import java.util.Set;
import org.calm4j.engine.CalmException;

/**
 * The angles of rotary position embedding (Su et al. 2021), with the methods for lengths beyond those that a model was trained on, each
 * as transformers defines it.
 *
 * @param frequencies radians per position, (R/2): pair i of a head is rotated by position · frequencies[i]
 * @param attentionFactor factor of cosines and sines, and so of queries and keys
 * @param reach the length up to which positions are stretched; files that stretch them often leave max_position_embeddings unchanged
 */
public record Rope(double[] frequencies, double attentionFactor, int reach) {
    private static final Set<String> TYPES = Set.of("default", "linear", "llama3", "yarn");

    /** By the frequencies themselves, which in a record are compared as objects. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Rope rope
                && Arrays.equals(frequencies, rope.frequencies)
                && attentionFactor == rope.attentionFactor
                && reach == rope.reach;
    }

    @Override
    public int hashCode() {
        return Objects.hash(Arrays.hashCode(frequencies), attentionFactor, reach);
    }

    /**
     * From {@code rope_parameters}, as newer files write it, or {@code rope_scaling} and {@code rope_theta}.
     *
     * @throws CalmException bad input: a type that is not supported, or parameters that are missing or make no sense
     */
    static Rope of(ConfigFields config, int headDim, int maxPositions) {
        ConfigFields scaling = config.object("rope_scaling");
        scaling = scaling == null || scaling.json().isEmpty() ? config.object("rope_parameters") : scaling;
        if (scaling == null) {
            scaling = config.empty();
        }
        String type = scaling.text("rope_type", scaling.text("type", "default"));
        if (!TYPES.contains(type)) {
            throw scaling.unsupported(scaling.has("rope_type") ? "rope_type" : "type", "default, linear, llama3, yarn");
        }
        for (String layers : new String[] {"full_attention", "sliding_attention"}) {
            if (scaling.has(layers)) {
                throw scaling.unsupported(layers, "one rotary embedding for all layers");
            }
        }
        double theta = scaling.positive("rope_theta", config.positive("rope_theta", 10000));
        double part = scaling.positive("partial_rotary_factor", config.positive("partial_rotary_factor", 1));
        int turned = (int) (headDim * part);
        if (part > 1 || turned < 2 || turned % 2 != 0) {
            throw config.bad("rotary embeddings turn " + turned + " elements of a head of " + headDim
                    + "; it must be an even number above 0");
        }
        double[] frequencies = new double[turned / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = Math.pow(theta, -2.0 * i / turned);
        }
        return switch (type) {
            case "linear" -> linear(frequencies, scaling.positive("factor"), maxPositions);
            case "llama3" -> llama3(frequencies, scaling, original(config, scaling, maxPositions), maxPositions);
            case "yarn" -> yarn(frequencies, theta, scaling, original(config, scaling, maxPositions), maxPositions);
            default -> new Rope(frequencies, 1, maxPositions);
        };
    }

    private static double original(ConfigFields config, ConfigFields scaling, int maxPositions) {
        String name = "original_max_position_embeddings";
        return config.has(name) ? config.positive(name) : scaling.positive(name, maxPositions);
    }

    /** Positions are divided by a factor. */
    private static Rope linear(double[] frequencies, double factor, int maxPositions) {
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] /= factor;
        }
        return new Rope(frequencies, 1, stretched(maxPositions, factor));
    }

    /** Grattafiori et al. 2024: low frequencies are slowed down, high ones are not, those between partly. */
    private static Rope llama3(double[] frequencies, ConfigFields scaling, double original, int maxPositions) {
        double factor = scaling.positive("factor");
        double low = scaling.positive("low_freq_factor");
        double high = scaling.positive("high_freq_factor");
        if (high <= low) {
            throw scaling.bad("high_freq_factor " + high + " must be above low_freq_factor " + low);
        }
        for (int i = 0; i < frequencies.length; i++) {
            double turns = original * frequencies[i] / (2 * Math.PI);
            double kept = Math.clamp((turns - low) / (high - low), 0, 1);
            frequencies[i] *= kept + (1 - kept) / factor;
        }
        return new Rope(frequencies, 1, maxPositions);
    }

    /** YaRN (Peng et al. 2023): a ramp over the pairs from kept to slowed down, and attention sharpened to go with it. */
    private static Rope yarn(
            double[] frequencies, double theta, ConfigFields scaling, double original, int maxPositions) {
        if (theta <= 1) {
            throw scaling.bad("rope_theta is " + theta + "; yarn needs it above 1");
        }
        double factor = scaling.positive("factor", maxPositions / original);
        double mscale = orZero(scaling, "mscale");
        double mscaleAllDim = orZero(scaling, "mscale_all_dim");
        double attention = mscale > 0 && mscaleAllDim > 0
                ? sharpening(factor, mscale) / sharpening(factor, mscaleAllDim)
                : sharpening(factor, 1);
        double first = pairOfTurns(scaling.positive("beta_fast", 32), frequencies.length, theta, original);
        double last = pairOfTurns(scaling.positive("beta_slow", 1), frequencies.length, theta, original);
        if (scaling.flag("truncate", true)) {
            first = Math.floor(first);
            last = Math.ceil(last);
        }
        first = Math.max(first, 0);
        last = Math.min(last, 2.0 * frequencies.length - 1);
        if (first == last) {
            last += 0.001;
        }
        for (int i = 0; i < frequencies.length; i++) {
            double slowed = Math.clamp((i - first) / (last - first), 0.0, 1.0);
            frequencies[i] *= slowed / factor + (1 - slowed);
        }
        return new Rope(frequencies, scaling.positive("attention_factor", attention), stretched(original, factor));
    }

    private static int stretched(double positions, double factor) {
        return (int) Math.min(positions * factor, Integer.MAX_VALUE);
    }

    /** Zero counts as missing. */
    private static double orZero(ConfigFields scaling, String name) {
        return scaling.json().path(name).isNumber() && scaling.json().get(name).doubleValue() == 0
                ? 0
                : scaling.positive(name, 0);
    }

    private static double sharpening(double factor, double mscale) {
        return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
    }

    /** The pair, as a fraction, that makes this many turns over the original length. */
    private static double pairOfTurns(double turns, int pairs, double theta, double original) {
        return pairs * Math.log(original / (turns * 2 * Math.PI)) / Math.log(theta);
    }
}
