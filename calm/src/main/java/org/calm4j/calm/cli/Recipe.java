package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.TextFile;
import org.calm4j.engine.train.Optimizer;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * A YAML of LLaMA-Factory, of TRL's scripts or with our own names, as flags of a training command. Flags that are given beside it win. A key
 * that is not known is an error with near names; one that makes no difference here is reported.
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
            "eval_dataset",
            "use_peft",
            "pref_ftx",
            "pissa_init",
            "report_to",
            "resume_from_checkpoint",
            "lr_scheduler_kwargs",
            "lora_target_modules");

    private static final Set<String> OF_LLAMA_FACTORY =
            Set.of("stage", "finetuning_type", "dataset_dir", "cutoff_len", "pref_beta", "pref_loss", "template");
    private static final Set<String> OF_TRL =
            Set.of("dataset_name", "use_peft", "lora_r", "dataset_config", "dataset_train_split");
    private static final long MOST_BYTES = 1 << 20;
    private static final int NEAR = 3;
    /** Of dataset_info.json: what a column is to be called for our reader. */
    private static final Map<String, Set<String>> COLUMNS = Map.of(
            "prompt", Set.of("instruction", "prompt"),
            "query", Set.of("input"),
            "response", Set.of("output", "completion"),
            "messages", Set.of("messages", "conversations"));

    private record Value(List<String> all, int line) {
        String text() {
            return String.join(",", all);
        }

        boolean isTrue() {
            return text().equalsIgnoreCase("true");
        }
    }

    private final Path file;
    private final CommandSpec command;
    private final Map<String, Value> keys = new LinkedHashMap<>();
    private final Map<String, List<String>> ignored = new TreeMap<>();
    private final List<String> arguments = new ArrayList<>();
    private final Set<OptionSpec> given = new HashSet<>();

    private Recipe(Path file, CommandSpec command, List<String> others) {
        this.file = file;
        this.command = command;
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
     * The command's arguments with those of a recipe before the others.
     *
     * @param others without the recipe
     * @param said receives what is worth saying
     * @throws CalmException bad input: the recipe, with its line
     */
    static List<String> arguments(Path file, CommandSpec command, List<String> others, List<String> said) {
        Recipe recipe = new Recipe(file, command, others);
        recipe.read();
        recipe.translate(said);
        return Stream.concat(recipe.arguments.stream(), others.stream()).toList();
    }

    private void read() {
        LoaderOptions bounds = new LoaderOptions();
        bounds.setAllowDuplicateKeys(false);
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw CalmException.badInput(file, "is larger than a recipe can be");
            }
            Node root = new Yaml(new SafeConstructor(bounds)).compose(new java.io.StringReader(TextFile.read(file)));
            if (!(root instanceof MappingNode map)) {
                throw CalmException.badInput(file, "expected keys and values, such as  learning_rate: 1.0e-5");
            }
            read(map, true);
        } catch (MarkedYAMLException e) {
            int line = e.getProblemMark() == null ? 1 : e.getProblemMark().getLine() + 1;
            throw CalmException.badInput(file + ":" + line, String.valueOf(e.getProblem()), e);
        } catch (YAMLException e) {
            throw CalmException.badInput(
                    file, e.getMessage().lines().findFirst().orElse("is not YAML"), e);
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    private void read(MappingNode map, boolean top) {
        for (NodeTuple tuple : map.getValue()) {
            int line = tuple.getKeyNode().getStartMark().getLine() + 1;
            String key = scalar(tuple.getKeyNode(), line).replace('-', '_');
            if (tuple.getValueNode() instanceof MappingNode inner && top && key.equals("lr_scheduler_kwargs")) {
                read(inner, false);
                continue;
            }
            List<String> values = tuple.getValueNode() instanceof SequenceNode list
                    ? list.getValue().stream().map(each -> scalar(each, line)).toList()
                    : isNull(tuple.getValueNode()) ? null : List.of(scalar(tuple.getValueNode(), line));
            if (values != null && keys.put(key, new Value(values, line)) != null) {
                throw CalmException.badInput(file + ":" + line, key + " is given twice");
            }
        }
    }

    private static boolean isNull(Node node) {
        return Tag.NULL.equals(node.getTag());
    }

    private String scalar(Node node, int line) {
        if (node instanceof ScalarNode scalar) {
            return scalar.getValue();
        }
        throw CalmException.badInput(file + ":" + line, "expected a value, or a list of values");
    }

    private void translate(List<String> said) {
        checkKnown();
        boolean llamaFactory = keys.keySet().stream().anyMatch(OF_LLAMA_FACTORY::contains);
        boolean trl = !llamaFactory && keys.keySet().stream().anyMatch(OF_TRL::contains);
        if (llamaFactory || trl) {
            List<String> defaults = defaults(llamaFactory);
            said.add("calm: " + file + " is a recipe of " + (llamaFactory ? "LLaMA-Factory" : "TRL")
                    + (defaults.isEmpty() ? "" : "; what it leaves open is as there: " + String.join(", ", defaults)));
        }
        stage();
        data("dataset", "data");
        data("eval_dataset", "eval_data");
        keys.forEach(this::translate);
        pairTerm();
        ignored.forEach((why, names) ->
                said.add("calm: " + file + ": ignored, since " + why + ": " + String.join(", ", names)));
    }

    private void checkKnown() {
        List<String> unknown = new ArrayList<>();
        int line = 0;
        for (Map.Entry<String, Value> each : keys.entrySet()) {
            if (option(each.getKey()) == null && !RecipeKeys.all().contains(each.getKey())) {
                unknown.add("'" + each.getKey() + "'" + near(each.getKey()));
                line = line == 0 ? each.getValue().line() : line;
            }
        }
        if (!unknown.isEmpty()) {
            throw CalmException.badInput(
                    file + ":" + line,
                    "unknown " + (unknown.size() == 1 ? "key " : "keys ") + String.join(", ", unknown));
        }
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
        return command.findOption("--" + key.replace('_', '-'));
    }

    /** Fills in what the other program takes where the recipe says nothing; returns what that was. */
    private List<String> defaults(boolean llamaFactory) {
        Map<String, String> all = new LinkedHashMap<>(
                llamaFactory
                        ? RecipeKeys.LLAMA_FACTORY
                        : command.name().equals("dpo") ? RecipeKeys.TRL_DPO : RecipeKeys.TRL_SFT);
        boolean adapts = llamaFactory
                ? !keys.containsKey("finetuning_type")
                        || keys.get("finetuning_type").text().equals("lora")
                : keys.containsKey("use_peft") && keys.get("use_peft").isTrue();
        if (adapts && !keys.containsKey("adapter_name_or_path")) {
            all.putAll(llamaFactory ? RecipeKeys.LLAMA_FACTORY_LORA : RecipeKeys.TRL_LORA);
        }
        if (keys.containsKey("max_steps")) {
            all.remove("num_train_epochs");
        }
        List<String> taken = new ArrayList<>();
        all.forEach((key, value) -> {
            OptionSpec option = option(RecipeKeys.RENAMED.getOrDefault(key, key));
            boolean said = option == null
                    || given.contains(option)
                    || keys.keySet().stream()
                            .anyMatch(each -> option(RecipeKeys.RENAMED.getOrDefault(each, each)) == option);
            if (!said) {
                keys.put(key, new Value(List.of(value), 1));
                taken.add(key + " " + value);
            }
        });
        return taken;
    }

    private void stage() {
        Value stage = keys.get("stage");
        if (stage != null) {
            String wanted =
                    stage.text().equals("pt") ? "pretrain" : stage.text().equals("kto") ? "dpo" : stage.text();
            if (!wanted.equals(command.name())) {
                throw bad(
                        stage,
                        "stage is " + stage.text() + ", which calm " + command.name() + " does not do"
                                + (Set.of("dpo", "sft", "pretrain").contains(wanted)
                                        ? "; calm " + wanted + " does"
                                        : ""));
            }
            if (stage.text().equals("kto")) {
                keys.putIfAbsent("loss_type", new Value(List.of("kto"), stage.line()));
            }
        }
        Value kind = keys.get("finetuning_type");
        if (kind != null && !Set.of("lora", "full").contains(kind.text())) {
            throw bad(kind, "finetuning_type is " + kind.text() + "; known here: lora, full");
        }
    }

    private CalmException bad(Value where, String what) {
        return CalmException.badInput(file + ":" + where.line(), what);
    }

    /** A data set of LLaMA-Factory by its name in dataset_info.json. */
    private void data(String key, String ours) {
        Value name = keys.get(key);
        if (name == null || given.contains(option(ours))) {
            return;
        }
        if (name.text().contains(",")) {
            throw bad(name, key + " has several; join them in one file and give it with --" + ours.replace('_', '-'));
        }
        Path folder = Path.of(
                keys.containsKey("dataset_dir") ? keys.get("dataset_dir").text() : "data");
        Path info = folder.resolve("dataset_info.json");
        JsonNode entry = Json.read(info, JsonNode.class).path(name.text());
        if (!entry.path("file_name").isTextual()) {
            throw CalmException.badInput(
                    info, "has no file_name of '" + name.text() + "'; calm download fetches data sets of a hub");
        }
        Path data = folder.resolve(entry.path("file_name").asText()).normalize();
        if (!data.startsWith(folder.normalize())) {
            throw CalmException.badInput(info, "the file_name of '" + name.text() + "' leaves its folder");
        }
        entry.path("columns").properties().forEach(column -> {
            Set<String> allowed = COLUMNS.getOrDefault(column.getKey(), Set.of(column.getKey()));
            if (!allowed.contains(column.getValue().asText())) {
                throw CalmException.badInput(
                        info,
                        "'" + name.text() + "' calls its " + column.getKey() + " '"
                                + column.getValue().asText() + "'; rename that field of its lines to "
                                + String.join(" or ", new TreeSet<>(allowed)));
            }
        });
        add(ours, List.of(data.toString()));
    }

    private void translate(String key, Value value) {
        String text = value.text();
        switch (key) {
            case "stage",
                    "finetuning_type",
                    "dataset",
                    "dataset_dir",
                    "eval_dataset",
                    "use_peft",
                    "pref_ftx",
                    "lr_scheduler_kwargs" -> {
                return;
            }
            case "dataset_name" -> {
                if (!given.contains(option("data"))) {
                    if (!Files.exists(Path.of(text))) {
                        throw bad(
                                value,
                                "dataset_name is " + text
                                        + ", which is not a file here; fetch it with calm download, and give --data");
                    }
                    add("data", value.all());
                }
                return;
            }
            case "pissa_init" -> {
                if (value.isTrue()) {
                    add("init_lora_weights", List.of("pissa"));
                }
                return;
            }
            case "optim" -> {
                // Other programs have names of their own for AdamW.
                if (Arrays.stream(Optimizer.Kind.values()).anyMatch(kind -> text.equals(kind.toString()))) {
                    add(key, value.all());
                    return;
                }
            }
            case "use_muon" -> {
                if (value.isTrue()) {
                    add("optim", List.of(Optimizer.Kind.MUON.toString()));
                    return;
                }
            }
            case "report_to" -> {
                if (value.all().contains("tensorboard")) {
                    add(key, List.of("tensorboard"));
                } else {
                    ignore(RecipeKeys.IGNORED.get("plot_loss"), key);
                }
                return;
            }
            case "resume_from_checkpoint" -> {
                if (!Set.of("true", "false").contains(text)) {
                    throw bad(value, "resume_from_checkpoint is a folder; give --output with its parent, and --resume");
                }
                if (value.isTrue()) {
                    add("resume", List.of("true"));
                }
                return;
            }
            default -> {}
        }
        if (RecipeKeys.HARMLESS.containsKey(key)) {
            strategy(key, value);
        } else if (RecipeKeys.IGNORED.containsKey(key) || isFull() && isOfAdapter(key)) {
            ignore(RecipeKeys.IGNORED.getOrDefault(key, "all weights are trained"), key);
        } else {
            add(RecipeKeys.RENAMED.getOrDefault(key, key), words(key, value));
        }
    }

    private static boolean isOfAdapter(String key) {
        return key.startsWith("lora")
                || Set.of("use_dora", "use_rslora", "init_lora_weights", "modules_to_save", "additional_target")
                        .contains(key);
    }

    private boolean isFull() {
        Value peft = keys.get("use_peft");
        Value kind = keys.get("finetuning_type");
        return peft != null && !peft.isTrue() || kind != null && kind.text().equals("full");
    }

    private static List<String> words(String key, Value value) {
        if (Set.of("lora_target", "lora_target_modules").contains(key)
                && value.text().equals("all")) {
            return List.of("all-linear");
        }
        return value.all();
    }

    /** A key that is here in one of its values alone. */
    private void strategy(String key, Value value) {
        if (key.endsWith("_strategy") && value.text().equals("no")
                || key.endsWith("_strategy") && value.text().equals("false")) {
            ignore("it says that nothing is done", key);
            arguments.removeIf(
                    argument -> argument.startsWith(key.startsWith("save") ? "--save-steps=" : "--eval-steps="));
            return;
        }
        if (!RecipeKeys.HARMLESS.get(key).contains(value.text().toLowerCase(java.util.Locale.ROOT))) {
            throw bad(
                    value,
                    key + " is " + value.text() + ", which is not done here; known: "
                            + String.join(", ", new TreeSet<>(RecipeKeys.HARMLESS.get(key))));
        }
        ignore("it says what is done here anyway", key);
    }

    private void ignore(String why, String key) {
        ignored.computeIfAbsent(why, reason -> new ArrayList<>()).add(key);
    }

    /** {@code pref_ftx} is the weight of an SFT term beside the loss. */
    private void pairTerm() {
        Value weight = keys.get("pref_ftx");
        if (weight == null || Double.parseDouble(weight.text()) == 0) {
            return;
        }
        String loss = Stream.of("pref_loss", "loss_type")
                .map(keys::get)
                .filter(Objects::nonNull)
                .map(Value::text)
                .findFirst()
                .orElse("sigmoid");
        arguments.removeIf(argument -> argument.startsWith("--loss-type="));
        add("loss_type", List.of(loss, "sft"));
        add("loss_weights", List.of("1", weight.text()));
    }

    private void add(String name, List<String> values) {
        OptionSpec option = option(name);
        if (option == null) {
            throw CalmException.badInput(file, name + " is not an option of calm " + command.name());
        }
        if (given.contains(option)) {
            return;
        }
        String flag = "--" + name.replace('_', '-');
        if (option.type() == boolean.class || option.arity().max() == 0) {
            if (values.getFirst().equalsIgnoreCase("true")) {
                arguments.add(flag);
            }
            return;
        }
        boolean apart = option.isMultiValue()
                && option.splitRegex().isEmpty()
                && Collection.class.isAssignableFrom(option.type());
        if (apart) {
            values.forEach(value -> arguments.add(flag + "=" + value));
        } else {
            arguments.add(flag + "=" + String.join(",", values));
        }
    }
}
