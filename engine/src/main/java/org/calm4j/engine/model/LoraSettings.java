package org.calm4j.engine.model;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.config.Projection;

/**
 * The settings of a new adapter, as in PEFT's LoraConfig.
 *
 * @param rank R
 * @param alpha the adapter's output is scaled by {@code alpha / rank}, or {@code alpha / √rank} with rsLoRA (Kalajdzievski 2023)
 * @param dropout probability with which an input of A is zeroed in training
 * @param targets the layers that are adapted, unless a regular expression tells
 * @param regex for whole paths of layers; null for targets
 * @param layers numbers of the blocks; empty for all
 * @param rankPattern ranks of some layers, by regular expressions for the ends of their paths; the first that fits holds
 * @param alphaPattern the same for alpha
 * @param dora whether the norms of the weight's rows are trained apart from their direction (DoRA, Liu et al. 2024)
 * @param start what A and B begin with
 * @param modulesToSave modules of which a copy is trained whole and saved with the adapter
 */
public record LoraSettings(
        int rank,
        double alpha,
        double dropout,
        boolean rankStabilized,
        Set<Projection> targets,
        String regex,
        List<Integer> layers,
        Map<String, Integer> rankPattern,
        Map<String, Double> alphaPattern,
        boolean dora,
        Start start,
        List<String> modulesToSave) {
    /** PEFT's {@code init_lora_weights}. */
    public enum Start {
        /** A uniform in ±1/√I, which is Kaiming's with a slope of √5, and B zero. */
        TRUE,
        /** A normal with deviation 1/R, and B zero. */
        GAUSSIAN,
        /** The weight's largest singular values (Meng et al. 2024). */
        PISSA;

        @Override
        @JsonValue
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** A plain adapter. */
    public LoraSettings(int rank, double alpha, double dropout, boolean rankStabilized, Set<Projection> targets) {
        this(
                rank,
                alpha,
                dropout,
                rankStabilized,
                targets,
                null,
                List.of(),
                Map.of(),
                Map.of(),
                false,
                Start.TRUE,
                List.of());
    }
}
