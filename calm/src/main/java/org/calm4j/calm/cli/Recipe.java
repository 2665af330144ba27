package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.calm4j.calm.cli.RecipeFacts.Program;
import org.calm4j.calm.cli.RecipeFile.Value;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.train.optim.Optimizer;
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
            "lora_target_modules",
            "train_sampling_strategy");

    /** Data sets of a hub, each with what is taken of it. */
    private static final List<String> MIXTURES = List.of("dataset_mixture", "dataset_mixer", "datasets");

    private static final int NEAR = 3;

    private final RecipeFacts facts;
    private final RecipeFile file;
    private final CommandSpec command;
    private final Map<String, Value> keys;
    private final Program program;
    private final Map<String, List<String>> ignored = new TreeMap<>();
    private final RecipeFlags flags;
    private final List<String> said = new ArrayList<>();

    private Recipe(RecipeFacts facts) {
        this.facts = facts;
        file = facts.file();
        command = facts.command();
        keys = facts.keys();
        program = facts.program();
        flags = new RecipeFlags(facts);
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
        TypedKeys typed = TypedKeys.of(command, arguments);
        Recipe recipe = new Recipe(new RecipeFacts(RecipeFile.of(file, typed.keys()), command, typed.others()));
        recipe.translate();
        return recipe;
    }

    /** The command's arguments, with those of the recipe before the others. */
    List<String> arguments() {
        return Stream.concat(flags.all(), facts.others().stream()).toList();
    }

    /** What is worth saying. */
    List<String> said() {
        return said;
    }

    /** Where an option has its value from, as {@code file:line: key}; null if the recipe does not say it. */
    String origin(OptionSpec option) {
        return flags.origin(option);
    }

    /** Since transformers 5 warm-up steps below 1 are a share. */
    static boolean isShare(String steps) {
        return steps.matches("0?\\.\\d*[1-9]\\d*");
    }

    private void translate() {
        checkKnown();
        checkNested();
        stage();
        Map<String, String> defaults = facts.defaults();
        if (program != Program.OURS) {
            said.add("calm: " + file + " is a recipe of " + program.title()
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
            if (facts.option(key) == null && !RecipeKeys.isKnown(key)) {
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
        if (model != null && !facts.isGiven("model") && !Files.isDirectory(Path.of(model.text()))) {
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
        if (mixture != null && !facts.isGiven("data")) {
            String key = MIXTURES.stream().filter(keys::containsKey).findFirst().orElseThrow();
            throw file.bad(
                    key,
                    mixture,
                    "names data sets of a hub; fetch them with calm download --repo-type dataset, and give the files with ",
                    Setting.of("data"));
        }
        boolean pairs = command.name().equals("dpo")
                && !(keys.containsKey("stage") && keys.get("stage").text().equals("kto"));
        if (keys.containsKey("dataset") && !facts.isGiven("data")) {
            RecipeData.Named named = new RecipeData(file).ofLlamaFactory("dataset", pairs);
            flags.add(
                    "dataset",
                    "data",
                    named.files().stream().map(Path::toString).toList());
            if (!keys.containsKey("apply_chat_template") && !command.name().equals("pretrain")) {
                flags.add("dataset", "apply_chat_template", List.of("true"));
            }
            if (named.conversations() && command.name().equals("sft") && !keys.containsKey("assistant_only_loss")) {
                flags.add("dataset", "assistant_only_loss", List.of("true"));
            }
        }
        if (keys.containsKey("dataset_name") && !facts.isGiven("data")) {
            flags.add("dataset_name", "data", List.of(ofSplit("dataset_train_split", "train")));
        }
        if (keys.containsKey("eval_dataset") && !facts.isGiven("eval_data") && facts.evaluates()) {
            List<Path> files =
                    new RecipeData(file).ofLlamaFactory("eval_dataset", pairs).files();
            if (files.size() > 1) {
                throw file.bad("eval_dataset", keys.get("eval_dataset"), "has several files; join them in one");
            }
            flags.add("eval_dataset", "eval_data", List.of(files.getFirst().toString()));
        }
        if (keys.containsKey("dataset_name")
                && Files.isDirectory(Path.of(keys.get("dataset_name").text()))
                && !facts.isGiven("eval_data")
                && !keys.containsKey("eval_data")
                && facts.evaluates()) {
            flags.add("dataset_name", "eval_data", List.of(ofSplit("dataset_test_split", "test")));
        }
    }

    private String ofSplit(String key, String standard) {
        String split = keys.containsKey(key) ? keys.get(key).text() : standard;
        return new RecipeData(file).ofFolder("dataset_name", split).toString();
    }

    private void strategies() {
        Value strategy = facts.evaluation();
        String name = keys.containsKey("eval_strategy") ? "eval_strategy" : "evaluation_strategy";
        if (strategy != null && !strategy.text().equals("steps") && !strategy.isFalse()) {
            if (!strategy.text().equals("epoch") || facts.isTrue("load_best_model_at_end")) {
                throw file.bad(name, strategy, strategy.text() + " is not done here; known: no, steps with eval_steps");
            }
            ignore("evaluations are a number of steps apart, see --eval-steps", name);
        }
        if (facts.evaluates() && strategy != null && !keys.containsKey("eval_steps")) {
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
                    flags.add(key, key, value.all());
                }
            }
            case "warmup_steps" -> {
                flags.add(key, isShare(value.text()) ? "warmup_ratio" : key, value.all());
            }
            case "optim" -> optimizer(value);
            case "pissa_init" -> {
                if (value.isTrue()) {
                    flags.add(key, "init_lora_weights", List.of("pissa"));
                }
            }
            case "adapter_name_or_path" -> {
                if (value.text().contains(",")) {
                    throw file.bad(
                            key,
                            value,
                            "has several adapters, which are not stacked here; merge all but the last (calm convert)");
                }
                flags.add(key, "adapter", value.all());
            }
            case "train_sampling_strategy" -> {
                if (value.text().equals("sequential")) {
                    flags.add(key, "no_shuffle", List.of("true"));
                } else {
                    harmless(key, value);
                }
            }
            case "use_muon" -> {
                if (value.isTrue()) {
                    flags.add(key, "optim", List.of(Optimizer.Kind.MUON.toString()));
                } else {
                    harmless(key, value);
                }
            }
            case "report_to" -> {
                if (value.all().contains("tensorboard")) {
                    flags.add(key, key, List.of("tensorboard"));
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
                    flags.add(key, "resume", List.of("true"));
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
                if (facts.option(key) == null) {
                    harmless(key, value);
                } else {
                    flags.add(key, RecipeKeys.RENAMED.getOrDefault(key, key), words(key, value));
                }
            }
        }
    }

    /** Null if a key makes a difference. */
    private String whyIgnored(String key, Value value) {
        if (RecipeKeys.ignored(key) != null) {
            return RecipeKeys.ignored(key);
        }
        if (MIXTURES.contains(key) || key.equals("dataset_splits") || key.equals("dataset") && facts.isGiven("data")) {
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
            if (program != Program.OURS && facts.goesOnWithAdapter() && !key.equals("loraplus_lr_ratio")) {
                return "an adapter is trained further, as it is";
            }
            if (!facts.adapts()) {
                return program == Program.TRL ? "use_peft is not true" : "all weights are trained";
            }
            if (key.equals("lora_dropout") && program != Program.OURS && facts.withoutDropout() && value.line() > 0) {
                return "preference training is without dropout, as there";
            }
        }
        boolean evaluated = Set.of("eval_steps", "eval_dataset").contains(key);
        if (evaluated && !facts.evaluates()) {
            return "eval_strategy is not steps";
        }
        Value saving = keys.get("save_strategy");
        return key.equals("save_steps") && saving != null && !saving.text().equals("steps")
                ? "save_strategy is not steps"
                : null;
    }

    private void optimizer(Value value) {
        if (Arrays.stream(Optimizer.Kind.values()).anyMatch(kind -> value.text().equals(kind.toString()))) {
            flags.add("optim", "optim", value.all());
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
            flags.add("optim", "optimizer_memory", List.of(memory));
        }
    }

    private void template(Value value) {
        Path config = facts.model() == null ? null : facts.model().resolve("tokenizer_config.json");
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
        Path folder = facts.model();
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
        flags.add(
                "pref_ftx",
                "loss_type",
                Stream.concat(loss.stream(), Stream.of("sft")).toList());
        flags.add("pref_ftx", "loss_weights", List.of("1", weight.text()));
    }
}
