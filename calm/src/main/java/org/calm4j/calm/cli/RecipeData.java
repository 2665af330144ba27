package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;

/** The files behind the names of data sets: {@code dataset_info.json} of LLaMA-Factory, and folders with a file for each split. */
final class RecipeData {
    private static final String INFO = "dataset_info.json";
    /** Where LLaMA-Factory looks if a recipe does not say it. */
    private static final String FOLDER = "data";

    private static final List<String> ENDINGS = List.of(".jsonl", ".json", ".csv", ".tsv");
    /** Of dataset_info.json: what a column is to be called for our reader. */
    private static final Map<String, Set<String>> COLUMNS = Map.of(
            "prompt", Set.of("instruction", "prompt", "text"),
            "query", Set.of("input"),
            "response", Set.of("output", "completion"),
            "messages", Set.of("messages", "conversations"),
            "kto_tag", Set.of("kto_tag", "label"));

    /** The same for the words in messages. */
    private static final Map<String, Set<String>> TAGS = Map.of(
            "role_tag", Set.of("from", "role"),
            "content_tag", Set.of("value", "content"),
            "user_tag", Set.of("human", "user"),
            "assistant_tag", Set.of("gpt", "assistant"),
            "observation_tag", Set.of("observation", "tool"),
            "function_tag", Set.of("function_call", "function"),
            "system_tag", Set.of("system"));

    private final RecipeFile recipe;

    RecipeData(RecipeFile recipe) {
        this.recipe = recipe;
    }

    /**
     * What a recipe of LLaMA-Factory trains on.
     *
     * @param files in the order of the names
     * @param conversations whether one of them has messages
     */
    record Named(List<Path> files, boolean conversations) {}

    /**
     * @param key the one that has the names
     * @param ranking whether the stage takes pairs
     * @throws CalmException bad input: a name that is not known, or data that are not here or have another form
     */
    Named ofLlamaFactory(String key, boolean ranking) {
        RecipeFile.Value names = recipe.keys().get(key);
        RecipeFile.Value given = recipe.keys().get("dataset_dir");
        Path folder = Path.of(given == null ? FOLDER : given.text());
        Path info = folder.resolve(INFO);
        if (!Files.exists(info)) {
            throw recipe.bad(
                    given == null ? key : "dataset_dir",
                    given == null ? names : given,
                    info + " is not there; "
                            + (given == null ? "dataset_dir is " + FOLDER + " where a recipe does not say it" : "")
                            + (given == null ? "; " : "")
                            + "give dataset_dir, or the files with ",
                    Setting.of("data"));
        }
        JsonNode all = Json.read(info, JsonNode.class);
        List<Path> files = new ArrayList<>();
        boolean conversations = false;
        for (String name : names.text().split(",")) {
            JsonNode entry = all.path(name.strip());
            check(key, names, info, name.strip(), entry, ranking);
            files.addAll(files(info, name.strip(), entry));
            conversations |= entry.path("formatting").asText("alpaca").matches("sharegpt|openai");
        }
        return new Named(files, conversations);
    }

    private void check(String key, RecipeFile.Value names, Path info, String name, JsonNode entry, boolean ranking) {
        if (entry.isMissingNode()) {
            throw recipe.bad(key, names, "'" + name + "' is not in " + info);
        }
        if (!entry.path("file_name").isTextual()) {
            String hub = entry.path("hf_hub_url").asText("");
            throw CalmException.badInput(
                    info,
                    "has no file_name of '" + name + "'"
                            + (hub.isEmpty() ? "" : ", but a hub's " + hub)
                            + "; calm download --repo-type dataset fetches data sets of a hub");
        }
        if (entry.path("ranking").asBoolean() != ranking) {
            throw recipe.bad(
                    key,
                    names,
                    "'" + name + "' has " + (ranking ? "no pairs" : "pairs") + ", says ranking in " + info
                            + ", which this stage does not take");
        }
        if (entry.hasNonNull("num_samples")) {
            throw CalmException.badInput(
                    info, "'" + name + "' has num_samples, which is not done here; max_samples takes the first ones");
        }
        checkNames(info, name, entry.path("columns"), COLUMNS);
        checkNames(info, name, entry.path("tags"), TAGS);
    }

    private static void checkNames(Path info, String name, JsonNode named, Map<String, Set<String>> known) {
        named.properties().forEach(each -> {
            Set<String> allowed = known.getOrDefault(each.getKey(), Set.of(each.getKey()));
            if (!allowed.contains(each.getValue().asText())) {
                throw CalmException.badInput(
                        info,
                        "'" + name + "' calls its " + each.getKey() + " '"
                                + each.getValue().asText() + "'; rename that in its lines to "
                                + String.join(" or ", new TreeSet<>(allowed)));
            }
        });
    }

    /** One file, or all of a folder by their names. */
    private static List<Path> files(Path info, String name, JsonNode entry) {
        Path folder = info.resolveSibling("").normalize();
        Path data = info.resolveSibling(entry.path("file_name").asText()).normalize();
        if (!data.startsWith(folder)) {
            throw CalmException.badInput(info, "the file_name of '" + name + "' leaves its folder");
        }
        if (!Files.isDirectory(data)) {
            return List.of(data);
        }
        List<Path> files = list(data);
        if (files.isEmpty()) {
            throw CalmException.badInput(data, "has no files");
        }
        return files;
    }

    /**
     * @param key of a file, or of a folder with a file for each split, such as {@code train.jsonl}, also in its {@code data}
     * @param split that is wanted of a folder
     * @throws CalmException bad input: it is not here
     */
    Path ofFolder(String key, String split) {
        RecipeFile.Value name = recipe.keys().get(key);
        Path data = Path.of(name.text());
        if (!Files.exists(data)) {
            throw recipe.bad(
                    key,
                    name,
                    name.text()
                            + " is not a file or folder here; fetch it with calm download --repo-type dataset, or give ",
                    Setting.of("data"));
        }
        if (!Files.isDirectory(data)) {
            return data;
        }
        List<Path> found = Stream.of(data, data.resolve("data"))
                .flatMap(folder -> ENDINGS.stream().map(ending -> folder.resolve(split + ending)))
                .filter(Files::isRegularFile)
                .toList();
        if (found.size() != 1) {
            throw recipe.bad(
                    key,
                    name,
                    data + (found.isEmpty() ? " has no " : " has several of ") + split
                            + String.join(", " + split, ENDINGS) + "; give the file with ",
                    Setting.of("data"));
        }
        return found.getFirst();
    }

    private static List<Path> list(Path folder) {
        try (Stream<Path> all = Files.list(folder)) {
            return all.filter(Files::isRegularFile).sorted().toList();
        } catch (IOException e) {
            throw CalmException.unreadable(folder, e);
        }
    }
}
