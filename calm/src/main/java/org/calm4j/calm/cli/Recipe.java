package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.calm4j.calm.cli.RecipeFile.Value;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.train.Optimizer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * A YAML of LLaMA-Factory, of TRL's scripts or with our own names, as flags of a training command. Flags that are given beside it win. A key
 * that is not known is an error with near names; one that makes no difference here is reported, and one that would make another is an error.
 */
final class Recipe {
    static final String FLAG = "--config";
    /** Keys that are looked at here. */
    static final Set<String> OWN_MEANING = Set.of(
            "stage",
            "finetuning_type",
            "dataset",
            "dataset_dir",
            "dataset_name",
            "dataset_train_split",
            "dataset_test_split",
            "dataset_mixture",
            "dataset_mixer",
            "dataset_splits",
            "datasets",
            "eval_dataset",
            "eval_strategy",
            "evaluation_strategy",
            "save_strategy",
            "use_peft",
            "disable_dropout",
            "optim",
            "pref_ftx",
            "pissa_init",
            "report_to",
            "resume_from_checkpoint",
            "chat_template",
            "chat_template_path",
            "eos_token",
            "pad_token",
            "lr_scheduler_kwargs",
            "lora_target_modules");

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
    /** Data sets of a hub, each with what is taken of it. */
    private static final List<String> MIXTURES = List.of("dataset_mixture", "dataset_mixer", "datasets");

    private static final int NEAR = 3;

    /** Whose names a recipe has. */
    private enum Program {
        LLAMA_FACTORY("LLaMA-Factory"),
        TRL("TRL"),
        OURS("calm4j");

        private final String title;

        Program(String title) {
            this.title = title;
        }
    }

    private final RecipeFile file;
    private final CommandSpec command;
    private final List<String> others;
    private final Map<String, Value> keys;
    private final Program program;
    private final Map<String, List<String>> ignored = new TreeMap<>();
    private final Map<OptionSpec, List<String>> flags = new LinkedHashMap<>();
    private final Map<OptionSpec, String> origins = new HashMap<>();
    private final Set<OptionSpec> given = new HashSet<>();
    private final List<String> said = new ArrayList<>();

    private Recipe(Path file, CommandSpec command, TypedKeys typed) {
        this.file = RecipeFile.of(file, typed.keys());
        this.command = command;
        others = typed.others();
        keys = this.file.keys();
        program = hasAny(OF_LLAMA_FACTORY) ? Program.LLAMA_FACTORY : hasAny(OF_TRL) ? Program.TRL : Program.OURS;
        for (String argument : others) {
            OptionSpec option = command.findOption(argument.replaceFirst("=.*", ""));
            if (argument.startsWith("--") && option != null) {
                given.add(option);
            }
        }
    }

    /** Whether a file is a recipe, not the config.json of a new model. */
    static boolean isRecipe(String file) {
        return file.endsWith(".yaml") || file.endsWith(".yml");
    }

    /**
     * @param file null without one
     * @param arguments of the command without the recipe; their flags of other programs are translated, too
     * @throws CalmException bad input: the recipe, with its line; usage: such a flag
     */
    static Recipe read(Path file, CommandSpec command, List<String> arguments) {
        Recipe recipe = new Recipe(file, command, TypedKeys.of(command, arguments));
        recipe.translate();
        return recipe;
    }

    /** The command's arguments, with those of the recipe before the others. */
    List<String> arguments() {
        return Stream.concat(flags.values().stream().flatMap(List::stream), others.stream())
                .toList();
    }

    /** What is worth saying. */
    List<String> said() {
        return said;
    }

    /** Where an option has its value from, as {@code file:line: key}; null if the recipe does not say it. */
    String origin(OptionSpec option) {
        return origins.get(option);
    }

    /** Whether the file has one; what is typed does not make its defaults those of another program. */
    private boolean hasAny(Set<String> names) {
        return keys.entrySet().stream()
                .anyMatch(each -> each.getValue().line() != Value.TYPED && names.contains(each.getKey()));
    }

    /** Since transformers 5 warm-up steps below 1 are a share. */
    static boolean isShare(String steps) {
        return steps.matches("0?\\.\\d*[1-9]\\d*");
    }

    private boolean isTrue(String key) {
        return keys.containsKey(key) && keys.get(key).isTrue();
    }

    private void translate() {
        checkKnown();
        checkNested();
        stage();
        Map<String, String> defaults = defaults();
        if (program != Program.OURS) {
            said.add("calm: " + file + " is a recipe of " + program.title
                    + (defaults.isEmpty()
                            ? ""
                            : "; what it leaves open is as there: "
                                    + defaults.entrySet().stream()
                                            .map(each -> each.getKey() + " " + each.getValue())
                                            .collect(Collectors.joining(", "))));
        } else if (!defaults.isEmpty()) {
            said.add(file.prefix() + "an adapter as there: "
                    + defaults.entrySet().stream()
                            .map(each -> each.getKey() + " " + each.getValue())
                            .collect(Collectors.joining(", ")));
        }
        data();
        strategies();
        defaults.forEach((key, value) -> keys.put(key, new Value(List.of(value), 0)));
        keys.forEach(this::translate);
        pairTerm();
        if (!ignored.isEmpty()) {
            said.add(file.prefix() + "without effect here: "
                    + ignored.entrySet().stream()
                            .map(each -> String.join(", ", each.getValue()) + " (" + each.getKey() + ")")
                            .collect(Collectors.joining("; ")));
        }
    }

    private void checkKnown() {
        List<String> unknown = new ArrayList<>();
        int line = 0;
        for (Map.Entry<String, Value> each : keys.entrySet()) {
            String key = each.getKey();
            if (option(key) == null && !RecipeKeys.isKnown(key)) {
                unknown.add("'" + key + "'" + near(key));
                line = line == 0 ? each.getValue().line() : line;
            }
        }
        if (!unknown.isEmpty()) {
            throw CalmException.badInput(
                    file + ":" + line,
                    "unknown " + (unknown.size() == 1 ? "key " : "keys ") + String.join(", ", unknown));
        }
    }

    /** What is ignored may have any form. */
    private void checkNested() {
        keys.forEach((key, value) -> {
            if (value.isNested() && RecipeKeys.ignored(key) == null && !MIXTURES.contains(key)) {
                throw file.bad(key, value, "expected a value, or a list of values");
            }
        });
    }

    private String near(String key) {
        Set<String> known = new TreeSet<>(RecipeKeys.all());
        command.options()
                .forEach(option ->
                        known.add(option.names()[0].replaceFirst("^--", "").replace('-', '_')));
        String near = known.stream()
                .filter(name ->
                        new LevenshteinDistance(NEAR).apply(name, key) >= 0 || name.contains(key) || key.contains(name))
                .limit(NEAR)
                .collect(Collectors.joining(", "));
        return near.isEmpty() ? "" : " (is it " + near + "?)";
    }

    private OptionSpec option(String key) {
        return command.findOption(
                "--" + RecipeKeys.RENAMED.getOrDefault(key, key).replace('_', '-'));
    }

    private boolean isGiven(String option) {
        return given.contains(option(option));
    }

    /** Whether a new adapter is trained. */
    private boolean adapts() {
        Value kind = keys.get("finetuning_type");
        return switch (program) {
            case LLAMA_FACTORY -> kind == null || kind.text().equals("lora");
            case TRL -> isTrue("use_peft") || keys.containsKey("lora_rank") || isGiven("lora_rank");
            case OURS -> true;
        };
    }

    private boolean goesOnWithAdapter() {
        return keys.containsKey("adapter_name_or_path") || keys.containsKey("adapter") || isGiven("adapter");
    }

    /** What the other program takes where the recipe says nothing. */
    private Map<String, String> defaults() {
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
    private Path model() {
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
    private boolean withoutDropout() {
        Value disabled = keys.get("disable_dropout");
        return command.name().equals("dpo") && (disabled == null || !disabled.isFalse());
    }

    private void stage() {
        Value stage = keys.get("stage");
        if (stage != null) {
            String wanted =
                    stage.text().equals("pt") ? "pretrain" : stage.text().equals("kto") ? "dpo" : stage.text();
            if (!wanted.equals(command.name())) {
                throw file.bad(
                        "stage",
                        stage,
                        stage.text() + " is not done by calm " + command.name()
                                + (Set.of("dpo", "sft", "pretrain").contains(wanted)
                                        ? "; calm " + wanted + " does it"
                                        : ""));
            }
            if (stage.text().equals("kto")) {
                keys.put("loss_type", new Value(List.of("kto"), stage.line()));
            }
            if (stage.text().equals("pt") && !keys.containsKey("packing")) {
                said.add(file.prefix()
                        + "there, documents are joined and divided into pieces of cutoff_len; here each is a"
                        + " sequence of its own");
            }
        }
        Value kind = keys.get("finetuning_type");
        if (kind != null && !Set.of("lora", "full").contains(kind.text())) {
            throw file.bad("finetuning_type", kind, kind.text() + " is not known here; known: lora, full");
        }
        Value model = keys.get("model_name_or_path");
        if (model != null && !isGiven("model") && !Files.isDirectory(Path.of(model.text()))) {
            throw file.bad(
                    "model_name_or_path",
                    model,
                    model.text() + " is not a folder here; fetch it with calm download, and give its folder, or ",
                    Setting.of("model"));
        }
    }

    private void data() {
        Value mixture = MIXTURES.stream()
                .filter(keys::containsKey)
                .map(keys::get)
                .findFirst()
                .orElse(null);
        if (mixture != null && !isGiven("data")) {
            String key = MIXTURES.stream().filter(keys::containsKey).findFirst().orElseThrow();
            throw file.bad(
                    key,
                    mixture,
                    "names data sets of a hub; fetch them with calm download --repo-type dataset, and give the files with ",
                    Setting.of("data"));
        }
        boolean pairs = command.name().equals("dpo")
                && !(keys.containsKey("stage") && keys.get("stage").text().equals("kto"));
        if (keys.containsKey("dataset") && !isGiven("data")) {
            RecipeData.Named named = new RecipeData(file).ofLlamaFactory("dataset", pairs);
            add("dataset", "data", named.files().stream().map(Path::toString).toList());
            if (!keys.containsKey("apply_chat_template") && !command.name().equals("pretrain")) {
                add("dataset", "apply_chat_template", List.of("true"));
            }
            if (named.conversations() && command.name().equals("sft") && !keys.containsKey("assistant_only_loss")) {
                add("dataset", "assistant_only_loss", List.of("true"));
            }
        }
        if (keys.containsKey("dataset_name") && !isGiven("data")) {
            add("dataset_name", "data", List.of(ofSplit("dataset_train_split", "train")));
        }
        if (keys.containsKey("eval_dataset") && !isGiven("eval_data") && evaluates()) {
            List<Path> files =
                    new RecipeData(file).ofLlamaFactory("eval_dataset", pairs).files();
            if (files.size() > 1) {
                throw file.bad("eval_dataset", keys.get("eval_dataset"), "has several files; join them in one");
            }
            add("eval_dataset", "eval_data", List.of(files.getFirst().toString()));
        }
        if (keys.containsKey("dataset_name")
                && Files.isDirectory(Path.of(keys.get("dataset_name").text()))
                && !isGiven("eval_data")
                && !keys.containsKey("eval_data")
                && evaluates()) {
            add("dataset_name", "eval_data", List.of(ofSplit("dataset_test_split", "test")));
        }
    }

    private String ofSplit(String key, String standard) {
        String split = keys.containsKey(key) ? keys.get(key).text() : standard;
        return new RecipeData(file).ofFolder("dataset_name", split).toString();
    }

    private Value evaluation() {
        return keys.containsKey("eval_strategy") ? keys.get("eval_strategy") : keys.get("evaluation_strategy");
    }

    /** As transformers decides: {@code eval_steps} alone does nothing. */
    private boolean evaluates() {
        Value strategy = evaluation();
        return program == Program.OURS && strategy == null
                || strategy != null && strategy.text().equals("steps");
    }

    private void strategies() {
        Value strategy = evaluation();
        String name = keys.containsKey("eval_strategy") ? "eval_strategy" : "evaluation_strategy";
        if (strategy != null && !strategy.text().equals("steps") && !strategy.isFalse()) {
            if (!strategy.text().equals("epoch") || isTrue("load_best_model_at_end")) {
                throw file.bad(name, strategy, strategy.text() + " is not done here; known: no, steps with eval_steps");
            }
            ignore("evaluations are a number of steps apart, see --eval-steps", name);
        }
        if (evaluates() && strategy != null && !keys.containsKey("eval_steps")) {
            Value logging = keys.get("logging_steps");
            keys.put(
                    "eval_steps",
                    new Value(
                            logging == null ? List.of(program == Program.TRL ? "10" : "500") : logging.all(),
                            strategy.line()));
        }
        Value saving = keys.get("save_strategy");
        if (saving != null && !saving.text().equals("steps") && !saving.isFalse()) {
            if (!saving.text().equals("epoch")) {
                throw file.bad("save_strategy", saving, saving.text() + " is not done here; known: no, steps");
            }
            ignore("checkpoints are a number of steps apart, see --save-steps", "save_strategy");
        }
    }

    private void translate(String key, Value value) {
        String why = whyIgnored(key, value);
        if (why != null) {
            ignore(why, key);
            return;
        }
        switch (key) {
            case "stage",
                    "finetuning_type",
                    "dataset",
                    "dataset_dir",
                    "dataset_name",
                    "dataset_train_split",
                    "dataset_test_split",
                    "dataset_splits",
                    "eval_dataset",
                    "use_peft",
                    "disable_dropout",
                    "eval_strategy",
                    "evaluation_strategy",
                    "save_strategy",
                    "pref_ftx" -> {}
            case "lr_scheduler_kwargs" ->
                throw file.bad(key, value, "expected its keys, each on a line of its own below it");
            case "max_steps" -> {
                if (!value.text().equals("-1")) {
                    add(key, key, value.all());
                }
            }
            case "warmup_steps" -> {
                add(key, isShare(value.text()) ? "warmup_ratio" : key, value.all());
            }
            case "optim" -> optimizer(value);
            case "pissa_init" -> {
                if (value.isTrue()) {
                    add(key, "init_lora_weights", List.of("pissa"));
                }
            }
            case "adapter_name_or_path" -> {
                if (value.text().contains(",")) {
                    throw file.bad(
                            key,
                            value,
                            "has several adapters, which are not stacked here; merge all but the last (calm convert)");
                }
                add(key, "adapter", value.all());
            }
            case "use_muon" -> {
                if (value.isTrue()) {
                    add(key, "optim", List.of(Optimizer.Kind.MUON.toString()));
                } else {
                    harmless(key, value);
                }
            }
            case "report_to" -> {
                if (value.all().contains("tensorboard")) {
                    add(key, key, List.of("tensorboard"));
                } else {
                    ignore(RecipeKeys.IGNORED.get("plot_loss"), key);
                }
            }
            case "resume_from_checkpoint" -> {
                if (!value.isTrue() && !value.isFalse()) {
                    throw file.bad(
                            key,
                            value,
                            value.text() + " names a checkpoint; give ",
                            Setting.OUTPUT,
                            " with its parent, and ",
                            Setting.of("resume"));
                }
                if (value.isTrue()) {
                    add(key, "resume", List.of("true"));
                }
            }
            case "chat_template" -> template(value);
            case "chat_template_path" ->
                throw file.bad(
                        key,
                        value,
                        "the model's own is used; write it into chat_template of its tokenizer_config.json");
            case "eos_token", "pad_token" -> token(key, value);
            default -> {
                if (option(key) == null) {
                    harmless(key, value);
                } else {
                    add(key, RecipeKeys.RENAMED.getOrDefault(key, key), words(key, value));
                }
            }
        }
    }

    /** Null if a key makes a difference. */
    private String whyIgnored(String key, Value value) {
        if (RecipeKeys.ignored(key) != null) {
            return RecipeKeys.ignored(key);
        }
        if (MIXTURES.contains(key) || key.equals("dataset_splits") || key.equals("dataset") && isGiven("data")) {
            return "the data are given";
        }
        String stage = keys.containsKey("stage") ? keys.get("stage").text() : command.name();
        if (program == Program.LLAMA_FACTORY && RecipeKeys.OF_PREFERENCES.contains(key)) {
            boolean other = key.startsWith("kto_") && !stage.equals("kto")
                    || Set.of("pref_loss", "dpo_label_smoothing", "simpo_gamma", "ld_alpha")
                                    .contains(key)
                            && stage.equals("kto");
            if (!command.name().equals("dpo") || other) {
                return "the stage is " + stage;
            }
            if (key.equals("simpo_gamma")
                    && !(keys.containsKey("pref_loss")
                            && keys.get("pref_loss").text().equals("simpo"))) {
                return "the loss is another one";
            }
        }
        if (key.equals("disable_dropout") && program == Program.OURS) {
            return "an adapter's dropout is what --lora-dropout says; there is none besides";
        }
        if (RecipeKeys.OF_ADAPTERS.contains(key)) {
            if (program != Program.OURS && goesOnWithAdapter() && !key.equals("loraplus_lr_ratio")) {
                return "an adapter is trained further, as it is";
            }
            if (!adapts()) {
                return program == Program.TRL ? "use_peft is not true" : "all weights are trained";
            }
            if (key.equals("lora_dropout") && program != Program.OURS && withoutDropout() && value.line() > 0) {
                return "preference training is without dropout, as there";
            }
        }
        boolean evaluated = Set.of("eval_steps", "eval_dataset").contains(key);
        if (evaluated && !evaluates()) {
            return "eval_strategy is not steps";
        }
        Value saving = keys.get("save_strategy");
        return key.equals("save_steps") && saving != null && !saving.text().equals("steps")
                ? "save_strategy is not steps"
                : null;
    }

    private void optimizer(Value value) {
        if (Arrays.stream(Optimizer.Kind.values()).anyMatch(kind -> value.text().equals(kind.toString()))) {
            add("optim", "optim", value.all());
            return;
        }
        // Other programs have names of their own for AdamW.
        String memory = RecipeKeys.OPTIMIZERS.get(value.text());
        if (memory == null) {
            throw file.bad(
                    "optim",
                    value,
                    value.text() + " is not done here; known: "
                            + Stream.concat(
                                            RecipeKeys.OPTIMIZERS.keySet().stream(),
                                            Arrays.stream(Optimizer.Kind.values())
                                                    .map(Object::toString))
                                    .collect(Collectors.joining(", ")));
        }
        if (memory.equals("f32")) {
            ignore("it says what is done here anyway", "optim");
        } else {
            add("optim", "optimizer_memory", List.of(memory));
        }
    }

    private void template(Value value) {
        Path config = model() == null ? null : model().resolve("tokenizer_config.json");
        boolean same = config != null
                && Files.isRegularFile(config)
                && Json.read(config, JsonNode.class)
                        .path("chat_template")
                        .asText("")
                        .equals(value.text());
        if (!same) {
            throw file.bad(
                    "chat_template",
                    value,
                    "the model's own is used, and is another one; write this one into its tokenizer_config.json");
        }
        ignore("the model's own chat template is used", "chat_template");
    }

    /** A special token is that of the model; of another end of sequence, another one would be learnt. */
    private void token(String key, Value value) {
        Path folder = model();
        Path config = folder == null ? null : folder.resolve("tokenizer_config.json");
        JsonNode token = config != null && Files.isRegularFile(config)
                ? Json.read(config, JsonNode.class).path(key)
                : Json.mapper().missingNode();
        String text = token.isObject() ? token.path("content").asText() : token.asText();
        if (key.equals("eos_token") && !text.equals(value.text())) {
            throw file.bad(
                    key,
                    value,
                    "the model's own is used, which is " + (text.isEmpty() ? "not known" : text)
                            + "; change eos_token in its tokenizer_config.json");
        }
        ignore("the model's own special tokens are used", key);
    }

    private static List<String> words(String key, Value value) {
        return Set.of("lora_target", "lora_target_modules").contains(key)
                        && value.text().equals("all")
                ? List.of("all-linear")
                : value.all();
    }

    /** A key that is here in some of its values alone. */
    private void harmless(String key, Value value) {
        Set<String> values = RecipeKeys.HARMLESS.get(key);
        Predicate<String> same = each -> each.equalsIgnoreCase(value.text())
                || each.equals("false") && value.isFalse()
                || each.equals("true") && value.isTrue();
        if (values == null || values.stream().noneMatch(same)) {
            String remedy = RecipeKeys.REMEDIES.get(key);
            throw file.bad(
                    key,
                    value,
                    value.text() + " is not done here"
                            + (values == null || values.isEmpty()
                                    ? ""
                                    : "; known: " + String.join(", ", new TreeSet<>(values)))
                            + (remedy == null ? "" : "; " + remedy));
        }
        ignore("it says what is done here anyway", key);
    }

    private void ignore(String why, String key) {
        boolean typed = keys.containsKey(key) && keys.get(key).line() == Value.TYPED;
        String name = typed ? Setting.of(key).flag() : key;
        List<String> names = ignored.computeIfAbsent(why, reason -> new ArrayList<>());
        if (!names.contains(name)) {
            names.add(name);
        }
    }

    /** {@code pref_ftx} is the weight of an SFT term beside the loss. */
    private void pairTerm() {
        Value weight = keys.get("pref_ftx");
        if (weight == null
                || whyIgnored("pref_ftx", weight) != null
                || weight.text().matches("0*\\.?0*")) {
            return;
        }
        List<String> loss = Stream.of("pref_loss", "loss_type")
                .filter(keys::containsKey)
                .filter(key -> whyIgnored(key, keys.get(key)) == null)
                .map(key -> keys.get(key).all())
                .findFirst()
                .orElse(List.of("sigmoid"));
        add(
                "pref_ftx",
                "loss_type",
                Stream.concat(loss.stream(), Stream.of("sft")).toList());
        add("pref_ftx", "loss_weights", List.of("1", weight.text()));
    }

    /**
     * @param key that says it
     * @param name of the option
     */
    private void add(String key, String name, List<String> values) {
        OptionSpec option = option(name);
        Value value = keys.get(key);
        if (option == null) {
            throw file.bad(key, value, name + " is not an option of calm " + command.name());
        }
        if (given.contains(option)) {
            return;
        }
        if (value.line() > 0) {
            origins.put(option, file.where(value) + ": " + key);
        }
        String flag = "--" + name.replace('_', '-');
        boolean list = option.isMultiValue()
                && option.splitRegex().isEmpty()
                && Collection.class.isAssignableFrom(option.type());
        if (option.type() == boolean.class || option.arity().max() == 0) {
            Value truth = new Value(values, value.line());
            if (!truth.isTrue() && !truth.isFalse()) {
                throw file.bad(key, value, "'" + truth.text() + "' is neither true nor false");
            }
            flags.put(option, truth.isTrue() ? List.of(flag) : List.of());
        } else if (name.equals("data")) {
            flags.put(option, Stream.concat(Stream.of(flag), values.stream()).toList());
        } else if (list) {
            flags.put(option, values.stream().map(each -> flag + "=" + each).toList());
        } else {
            flags.put(option, List.of(flag + "=" + String.join(",", values)));
        }
    }
}
