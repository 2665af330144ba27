package org.calm4j.calm.hub;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.engine.io.Json;

/**
 * What a snapshot in the cache has, and what it lacks.
 *
 * @param files that are complete: a file is put in place only when it is
 * @param listed all files of the commit; null where another program began the snapshot and kept no list
 * @param unfinished whether a file of the repository is only partly there
 */
record Contents(Path snapshot, List<String> files, List<String> listed, boolean unfinished) {
    private static final Globs WEIGHTS = new Globs(
            List.of("*.safetensors", "*model*.bin", "*.gguf", "*.pt", "*.pth", "*.onnx", "*.h5", "*.msgpack"),
            List.of());
    private static final Pattern SHARD = Pattern.compile("(.*-)\\d{5}(-of-(\\d{5})\\..*)");

    /** The wanted files that are missing; without a list of the repository's files, those that every model needs. */
    Set<String> missing(Globs globs, boolean model) throws IOException {
        Set<String> missing = new TreeSet<>();
        if (listed != null) {
            listed.stream().filter(globs::wants).forEach(missing::add);
            files.forEach(missing::remove);
            if (listed.stream().noneMatch(globs::wants)) {
                missing.addAll(globs.include());
            }
            return missing;
        }
        for (String glob : globs.include()) {
            Globs one = new Globs(List.of(glob), globs.exclude());
            if (files.stream().noneMatch(one::wants)) {
                missing.add(glob);
            }
        }
        for (String index : files) {
            if (index.endsWith(".index.json")) {
                String folder = index.substring(0, index.lastIndexOf('/') + 1);
                JsonNode shards = Json.mapper()
                        .readTree(Files.readAllBytes(snapshot.resolve(index)))
                        .path("weight_map");
                shards.valueStream()
                        .map(shard -> folder + shard.asText())
                        .filter(globs::wants)
                        .forEach(missing::add);
            }
        }
        for (String file : files) {
            Matcher shard = SHARD.matcher(file);
            for (int i = 1; shard.matches() && i <= Integer.parseInt(shard.group(3)); i++) {
                missing.add(shard.group(1) + String.format(Locale.ROOT, "%05d", i) + shard.group(2));
            }
        }
        missing.removeIf(name -> files.contains(name) || !globs.include().contains(name) && !globs.wants(name));
        boolean weights = files.stream().anyMatch(WEIGHTS::wants);
        if (model && !weights && missing.isEmpty() && globs.wants("model.safetensors")) {
            missing.add("model.safetensors, or other weights");
        }
        if (files.isEmpty() && missing.isEmpty()) {
            missing.add("all of them");
        }
        return missing;
    }

    /** The first few missing files. */
    static String some(Set<String> missing) {
        List<String> names = new ArrayList<>(missing);
        return String.join(", ", names.subList(0, Math.min(3, names.size())))
                + (names.size() > 3 ? " and " + (names.size() - 3) + " more" : "");
    }
}
