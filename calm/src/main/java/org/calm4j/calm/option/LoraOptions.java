package org.calm4j.calm.option;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.LoraSettings;

/** A new adapter, or none. */
@OptionRecord("Adapter")
public record LoraOptions(
        @Option(
                value = "Rank of a new adapter; 0 (default): all weights.",
                label = "N",
                standard = "0",
                also = "lora_r")
        int loraRank,

        @Option(value = "Default: twice the rank.", label = "X")
        Double loraAlpha,

        @Option(
                value =
                        "all-linear (default), or q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj; or one regular "
                                + "expression for the whole paths of layers, such as '.*[.]mlp[.].*'.",
                label = "NAME,…",
                standard = "all-linear",
                also = "lora_target_modules")
        List<String> loraTargets,

        @Option(value = "Default ${DEFAULT-VALUE}.", label = "X", standard = "0")
        double loraDropout,

        @Option(
                value = "Numbers of the blocks that are adapted, from 0; default: all.",
                label = "N,…",
                standard = "",
                also = {"lora_layers_to_transform", "layers_to_transform"},
                later = true)
        List<Integer> loraLayers,

        @Option(
                value = "Ranks of some layers, by a regular expression for the end of their path.",
                label = "PATH=N",
                standard = "",
                also = "rank_pattern",
                later = true)
        Map<String, Integer> loraRankPattern,

        @Option(
                value = "The same for {lora_alpha}.",
                label = "PATH=X",
                standard = "",
                also = "alpha_pattern",
                later = true)
        Map<String, Double> loraAlphaPattern,

        @Option(value = "Scale the adapter by alpha / √rank (rsLoRA).", later = true)
        boolean useRslora,

        @Option(value = "Train the norms of the weights' rows apart from their direction (DoRA).", later = true)
        boolean useDora,

        @Option(
                value =
                        "What the adapter begins with: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}. pissa: the weight's largest "
                                + "singular values.",
                label = "KIND",
                standard = "true",
                later = true)
        LoraSettings.Start initLoraWeights,

        @Option(
                value =
                        "Modules that are trained whole beside the adapter and saved with it, such as embed_tokens,lm_head.",
                label = "NAME,…",
                standard = "",
                also = "lora_modules_to_save",
                later = true)
        List<String> modulesToSave) {
    /** What names of modules do not have. */
    private static final Pattern EXPRESSION = Pattern.compile("[\\[\\](){}*+?|\\\\^$]");

    public LoraOptions {
        Setting.of("lora_rank").check(loraRank >= 0, "must be at least 0");
        Setting.of("lora_dropout").check(loraDropout >= 0 && loraDropout < 1, "must be from 0 to below 1");
        loraTargets = List.copyOf(loraTargets);
        loraLayers = List.copyOf(loraLayers);
        modulesToSave = List.copyOf(modulesToSave);
        needsRank("lora_alpha", loraAlpha != null, loraRank);
        needsRank("lora_dropout", loraDropout > 0, loraRank);
        needsRank("use_dora", useDora, loraRank);
        needsRank("use_rslora", useRslora, loraRank);
        needsRank("init_lora_weights", initLoraWeights != LoraSettings.Start.TRUE, loraRank);
        needsRank("modules_to_save", !modulesToSave.isEmpty(), loraRank);
        needsRank("lora_layers", !loraLayers.isEmpty(), loraRank);
        needsRank("lora_rank_pattern", !loraRankPattern.isEmpty(), loraRank);
        needsRank("lora_alpha_pattern", !loraAlphaPattern.isEmpty(), loraRank);
        Setting.of("lora_targets")
                .check(
                        loraTargets.size() == 1 || loraTargets.stream().noneMatch(LoraOptions::isExpression),
                        "may have one regular expression, or names");
        Setting.of("lora_layers")
                .check(
                        loraLayers.isEmpty() || loraTargets.stream().noneMatch(LoraOptions::isExpression),
                        "goes with names in ",
                        Setting.of("lora_targets"),
                        ", not with a regular expression, which may name the layers itself");
        Setting.of("use_dora")
                .check(
                        !useDora || initLoraWeights != LoraSettings.Start.PISSA,
                        "does not go with ",
                        Setting.of("init_lora_weights").at("pissa"));
        loraRankPattern.values().forEach(rank -> Setting.of("lora_rank_pattern")
                .check(rank > 0, "has a rank below 1: " + rank));
        loraAlphaPattern.values().forEach(alpha -> Setting.of("lora_alpha_pattern")
                .check(alpha > 0, "has an alpha not above 0: " + alpha));
    }

    /** Otherwise all weights would be trained where an adapter is meant. */
    private static void needsRank(String setting, boolean given, int rank) {
        Setting.of(setting).check(!given || rank > 0, "is for a new adapter: it needs ", Setting.of("lora_rank"));
    }

    private static boolean isExpression(String target) {
        return EXPRESSION.matcher(target).find();
    }

    /** Null without an adapter. */
    Double alpha() {
        return loraRank == 0 ? null : loraAlpha == null ? (Double) (2.0 * loraRank) : loraAlpha;
    }

    public LoraSettings of(ModelConfig model) {
        boolean expression = isExpression(loraTargets.getFirst());
        for (int layer : loraLayers) {
            Setting.of("lora_layers")
                    .check(
                            layer >= 0 && layer < model.layers(),
                            "has " + layer + "; the model's blocks are 0 to " + (model.layers() - 1));
        }
        return new LoraSettings(
                loraRank,
                alpha(),
                loraDropout,
                useRslora,
                expression ? Set.of() : model.layout().projections(loraTargets),
                expression ? loraTargets.getFirst() : null,
                loraLayers,
                loraRankPattern,
                loraAlphaPattern,
                useDora,
                initLoraWeights,
                modulesToSave);
    }
}
