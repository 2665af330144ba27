package org.calm4j.calm.option;

import java.util.List;
import org.calm4j.engine.Setting;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.LoraSettings;

/** A new adapter, or none. */
@OptionRecord
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
                value = "all-linear (default), or q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj.",
                label = "NAME,…",
                standard = "all-linear",
                also = "lora_target_modules")
        List<String> loraTargets,

        @Option(value = "Default ${DEFAULT-VALUE}.", label = "X", standard = "0")
        double loraDropout) {
    public LoraOptions {
        Setting.of("lora_rank").check(loraRank >= 0, "must be at least 0");
        Setting.of("lora_dropout").check(loraDropout >= 0 && loraDropout < 1, "must be from 0 to below 1");
        loraTargets = List.copyOf(loraTargets);
    }

    /** Null without an adapter. */
    Double alpha() {
        return loraRank == 0 ? null : loraAlpha == null ? (Double) (2.0 * loraRank) : loraAlpha;
    }

    public LoraSettings of(ModelConfig model) {
        return new LoraSettings(
                loraRank, alpha(), loraDropout, false, model.layout().projections(loraTargets));
    }
}
