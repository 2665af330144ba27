package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.calm4j.calm.option.LoraOptions;
import org.calm4j.calm.option.Options;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Options of a training that change nothing beside the others that were given. */
final class WithoutEffect {
    /** Each needs one of these. */
    private static final Map<String, Set<String>> NEEDS = Map.of(
            "eval_data", Set.of("eval_steps"),
            "metric_for_best_model", Set.of("load_best_model_at_end", "early_stopping_patience"),
            "greater_is_better", Set.of("load_best_model_at_end", "early_stopping_patience"),
            "generation_prompts", Set.of("generation_steps"),
            "replay_weight", Set.of("replay"),
            "replay_batch_size", Set.of("replay"),
            "loraplus_lr_ratio", Set.of("lora_rank", "adapter"),
            "lora_targets", Set.of("lora_rank", "adapter"),
            "lora_dropout", Set.of("lora_rank", "adapter"),
            "init_lora_weights", Set.of("lora_rank", "adapter"));

    /** Each is replaced by the other. */
    private static final Map<String, String> REPLACED = Map.of("epochs", "max_steps", "warmup_ratio", "warmup_steps");

    /** Options of a new adapter, as the configuration of one names them. */
    private static final Map<String, String> OF_ADAPTERS = Map.of(
            "lora_rank", "r",
            "lora_alpha", "lora_alpha",
            "lora_dropout", "lora_dropout",
            "use_rslora", "use_rslora",
            "use_dora", "use_dora");

    private final CommandSpec command;

    WithoutEffect(CommandSpec command) {
        this.command = command;
    }

    private boolean isGiven(String name) {
        OptionSpec option = command.findOption(Setting.of(name).flag());
        return option != null && command.commandLine().getParseResult().hasMatchedOption(option);
    }

    /** What is worth saying. */
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        NEEDS.keySet().stream()
                .sorted()
                .filter(this::isGiven)
                .filter(name -> NEEDS.get(name).stream().noneMatch(this::isGiven))
                .forEach(name -> lines.add(flag(name) + " has no effect without "
                        + String.join(
                                " or ",
                                NEEDS.get(name).stream()
                                        .sorted()
                                        .map(WithoutEffect::flag)
                                        .toList())));
        REPLACED.keySet().stream()
                .sorted()
                .filter(this::isGiven)
                .filter(name -> isGiven(REPLACED.get(name)))
                .forEach(name -> lines.add(flag(name) + " has no effect beside " + flag(REPLACED.get(name))));
        return lines;
    }

    private static String flag(String name) {
        return Setting.of(name).flag();
    }

    /**
     * An adapter that is trained further is as it is.
     *
     * @param adapter null without one
     * @return what is worth saying: settings that are its own anyway
     * @throws CalmException wrong usage: a setting of a new adapter
     */
    List<String> beside(Path adapter) {
        List<String> lines = new ArrayList<>();
        if (adapter == null) {
            return lines;
        }
        Path config = adapter.resolve("adapter_config.json");
        JsonNode its = Files.isRegularFile(config)
                ? Json.read(config, JsonNode.class)
                : Json.mapper().createObjectNode();
        for (Options.Defined option : Options.of(LoraOptions.class).all()) {
            String name = option.name();
            if (!isGiven(name)) {
                continue;
            }
            JsonNode own = its.path(OF_ADAPTERS.getOrDefault(name, ""));
            Setting.of(name)
                    .check(
                            isEqual(own, command.findOption(flag(name)).getValue()),
                            "is for a new adapter; that of ",
                            Setting.of("adapter"),
                            " is trained further as it is" + (own.isMissingNode() ? "" : ", with " + own.asText()));
            lines.add(flag(name) + " is that of the adapter anyway");
        }
        return lines;
    }

    private static boolean isEqual(JsonNode own, Object value) {
        return own.isNumber() && value instanceof Number number
                ? own.doubleValue() == number.doubleValue()
                : own.isBoolean() && value instanceof Boolean truth && own.booleanValue() == truth;
    }
}
