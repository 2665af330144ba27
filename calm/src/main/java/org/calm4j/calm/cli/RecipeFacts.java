package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.calm4j.calm.cli.RecipeFile.Value;
import org.calm4j.engine.io.Json;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** What a recipe and the arguments beside it say, and what its program takes where they say nothing. */
final class RecipeFacts {
    private static final Set<String> OF_LLAMA_FACTORY = Set.of(
            "stage",
            "finetuning_type",
            "dataset",
            "dataset_dir",
            "cutoff_len",
            "lora_target",
            "pref_beta",
            "pref_loss",
            "template");
    private static final Set<String> OF_TRL = Set.of(
            "dataset_name",
            "dataset_config",
            "dataset_train_split",
            "dataset_mixture",
            "dataset_mixer",
            "datasets",
            "dataset_num_proc",
            "use_peft",
            "lora_r",
            "torch_dtype",
            "dtype",
            "attn_implementation");
    /** Whose names a recipe has. */
    enum Program {
        LLAMA_FACTORY("LLaMA-Factory"),
        TRL("TRL"),
        OURS("calm4j");

        private final String title;

        Program(String title) {
            this.title = title;
        }

        String title() {
            return title;
        }
    }

    private final RecipeFile file;
    private final CommandSpec command;
    private final List<String> others;
    private final Map<String, Value> keys;
    private final Program program;
    private final Set<OptionSpec> given = new HashSet<>();

    /** @param others the command's arguments beside the recipe */
    RecipeFacts(RecipeFile file, CommandSpec command, List<String> others) {
        this.file = file;
        this.command = command;
        this.others = others;
        keys = file.keys();
        program = hasAny(OF_LLAMA_FACTORY) ? Program.LLAMA_FACTORY : hasAny(OF_TRL) ? Program.TRL : Program.OURS;
        for (String argument : others) {
            OptionSpec option = command.findOption(argument.replaceFirst("=.*", ""));
            if (argument.startsWith("--") && option != null) {
                given.add(option);
            }
        }
    }

    RecipeFile file() {
        return file;
    }

    CommandSpec command() {
        return command;
    }

    List<String> others() {
        return others;
    }

    Map<String, Value> keys() {
        return keys;
    }

    Program program() {
        return program;
    }

    /** Whether an option is among the arguments beside the recipe. */
    boolean isGiven(OptionSpec option) {
        return given.contains(option);
    }

    /** Whether the file has one; what is typed does not make its defaults those of another program. */
    private boolean hasAny(Set<String> names) {
        return keys.entrySet().stream()
                .anyMatch(each -> each.getValue().line() != Value.TYPED && names.contains(each.getKey()));
    }

    boolean isTrue(String key) {
        return keys.containsKey(key) && keys.get(key).isTrue();
    }

    /** That a key sets; null if none. */
    OptionSpec option(String key) {
        return command.findOption(
                "--" + RecipeKeys.RENAMED.getOrDefault(key, key).replace('_', '-'));
    }

    boolean isGiven(String option) {
        return given.contains(option(option));
    }

    /** Whether a new adapter is trained. */
    boolean adapts() {
        Value kind = keys.get("finetuning_type");
        return switch (program) {
            case LLAMA_FACTORY -> kind == null || kind.text().equals("lora");
            case TRL -> isTrue("use_peft") || keys.containsKey("lora_rank") || isGiven("lora_rank");
            case OURS -> true;
        };
    }

    boolean goesOnWithAdapter() {
        return keys.containsKey("adapter_name_or_path") || keys.containsKey("adapter") || isGiven("adapter");
    }

    /** What the other program takes where the recipe says nothing. */
    Map<String, String> defaults() {
        Map<String, String> all = new LinkedHashMap<>(
                switch (program) {
                    case LLAMA_FACTORY -> RecipeKeys.LLAMA_FACTORY;
                    case TRL -> command.name().equals("dpo") ? RecipeKeys.TRL_DPO : RecipeKeys.TRL_SFT;
                    case OURS -> Map.of();
                });
        boolean peft = program == Program.TRL || program == Program.OURS && isTrue("use_peft");
        boolean lora = program == Program.LLAMA_FACTORY
                || program == Program.OURS
                        && keys.containsKey("finetuning_type")
                        && keys.get("finetuning_type").text().equals("lora");
        if ((peft || lora) && adapts() && !goesOnWithAdapter()) {
            all.putAll(lora ? RecipeKeys.LLAMA_FACTORY_LORA : RecipeKeys.TRL_LORA);
            if (peft) {
                all.put("lora_target_modules", standardTargets());
            }
            if (withoutDropout()) {
                all.remove("lora_dropout");
            }
        }
        if (isGiven("max_steps")
                || keys.containsKey("max_steps")
                        && !keys.get("max_steps").text().startsWith("-")) {
            all.remove("num_train_epochs");
        }
        all.keySet().removeIf(key -> {
            OptionSpec option = option(key);
            return option == null
                    || given.contains(option)
                    || file.isEmpty(key)
                    || keys.keySet().stream().anyMatch(each -> option(each) == option);
        });
        return all;
    }

    /** PEFT's for the kinds of models that are known here. */
    private String standardTargets() {
        Path config = model() == null ? null : model().resolve("config.json");
        boolean gpt2 = config != null
                && Files.isRegularFile(config)
                && Json.read(config, JsonNode.class).path("model_type").asText().equals("gpt2");
        return gpt2 ? "c_attn" : "q_proj,v_proj";
    }

    /** Null if nobody has said it. */
    Path model() {
        OptionSpec model = option("model");
        for (int i = others.size() - 1; i >= 0; i--) {
            String flag = others.get(i).replaceFirst("=.*", "");
            if (model != null && command.findOption(flag) == model && !flag.equals(others.get(i))) {
                return Path.of(others.get(i).substring(flag.length() + 1));
            }
            if (model != null && command.findOption(flag) == model && i + 1 < others.size()) {
                return Path.of(others.get(i + 1));
            }
        }
        return Stream.of("model_name_or_path", "model")
                .map(keys::get)
                .filter(value -> value != null)
                .map(value -> Path.of(value.text()))
                .findFirst()
                .orElse(null);
    }

    /** Both programs switch all dropout off in preference training, an adapter's too; TRL unless it is told not to. */
    boolean withoutDropout() {
        Value disabled = keys.get("disable_dropout");
        return command.name().equals("dpo") && (disabled == null || !disabled.isFalse());
    }

    /** When lines that are held out are evaluated; null if nobody says it. */
    Value evaluation() {
        return keys.containsKey("eval_strategy") ? keys.get("eval_strategy") : keys.get("evaluation_strategy");
    }

    /** As transformers decides: {@code eval_steps} alone does nothing. */
    boolean evaluates() {
        Value strategy = evaluation();
        return program == Program.OURS && strategy == null
                || strategy != null && strategy.text().equals("steps");
    }
}
