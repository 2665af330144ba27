package org.calm4j.engine.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Excerpt;
import org.calm4j.engine.tensor.Tensor;

/**
 * Weights in one file or in several with an index, names as transformers gives them: {@code model.safetensors}, or
 * {@code model-00001-of-00003.safetensors} and so on with {@code model.safetensors.index.json}.
 */
public final class Shards {
    static final String MODEL = "model.safetensors";
    static final String INDEX_SUFFIX = ".index.json";
    private static final String INDEX = MODEL + INDEX_SUFFIX;
    private static final Pattern SHARD = Pattern.compile("model-\\d{5}-of-\\d{5}\\.safetensors");
    private static final Pattern SIZE = Pattern.compile("(\\d{1,12})\\s*([KMGT]?)(i?)B?", Pattern.CASE_INSENSITIVE);
    /** Default size of a shard, as in transformers. */
    public static final long DEFAULT_MAX_BYTES = 5_000_000_000L;

    private Shards() {}

    /**
     * A size such as {@code 5GB} (10⁹ bytes each) or {@code 500MiB} (2²⁰ bytes each).
     *
     * @throws CalmException wrong usage: not a size
     */
    public static long size(String text) {
        Matcher matcher = SIZE.matcher(text.strip());
        if (matcher.matches()) {
            int power = "KMGT".indexOf(matcher.group(2).toUpperCase(Locale.ROOT))
                    + (matcher.group(2).isEmpty() ? 0 : 1);
            double bytes =
                    Long.parseLong(matcher.group(1)) * Math.pow(matcher.group(3).isEmpty() ? 1000 : 1024, power);
            if (bytes >= 1 && bytes <= Long.MAX_VALUE / 2.0) {
                return (long) bytes;
            }
        }
        throw CalmException.usage("'" + text + "' is not a size; write it like 5GB, 500MB or 2GiB");
    }

    /** Whether a folder has weights. */
    public static boolean areIn(Path folder) {
        return Files.exists(folder.resolve(MODEL)) || Files.exists(folder.resolve(INDEX));
    }

    /** Whether weights may be written under this name. */
    public static boolean isWeights(String name) {
        return name.equals(MODEL) || name.equals(INDEX) || SHARD.matcher(name).matches();
    }

    /** Each shard with the tensors that the index lists for it. */
    static Map<String, Set<String>> readIndex(Path index) {
        JsonNode map = Json.read(index, JsonNode.class).path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw CalmException.badInput(index, "weight_map is missing");
        }
        Map<String, Set<String>> shards = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : map.properties()) {
            String name = entry.getValue().asText();
            // A link in the folder may lead out of it, as in the cache of a hub; a name may not.
            if (!entry.getValue().isTextual() || !name.matches("[\\w.-]{1,200}") || name.startsWith(".")) {
                throw CalmException.badInput(
                        index,
                        "the shard " + Excerpt.of(entry.getValue()) + " of " + Excerpt.of(entry.getKey())
                                + " is not in the folder");
            }
            shards.computeIfAbsent(name, n -> new TreeSet<>()).add(entry.getKey());
        }
        return shards;
    }

    /** Writes the weights of a model as they are. */
    public static void write(Path folder, Collection<Tensor> tensors, StoredType as, long maxBytes) {
        write(folder, tensors, as, maxBytes, UnaryOperator.identity());
    }

    /**
     * Writes the weights of a model into an existing folder, in place of those that are there. A reader, also after a crash on the way,
     * finds the old weights, the new ones or none, never some of each: shards are written under other names; then the old index goes, the
     * shards take their names, and the new index comes last.
     *
     * @param maxBytes of a shard; a tensor that is larger has one of its own
     * @param content what is written in the place of a tensor, one at a time, of the same shape, in its type or in the one that is written;
     *     memory that it made for this is freed
     */
    public static void write(
            Path folder, Collection<Tensor> tensors, StoredType as, long maxBytes, UnaryOperator<Tensor> content) {
        Map<String, String> metadata = Map.of("format", "pt");
        List<List<Tensor>> shards = plan(tensors, as, maxBytes);
        Set<String> written = new HashSet<>();
        try {
            if (shards.size() == 1) {
                // Where that file exists, the index is not read.
                Safetensors.write(folder.resolve(MODEL), tensors, metadata, as, content);
                Files.deleteIfExists(folder.resolve(INDEX));
            } else {
                ObjectNode index = JsonNodeFactory.instance.objectNode();
                index.putObject("metadata")
                        .put(
                                "total_parameters",
                                tensors.stream().mapToLong(Tensor::size).sum())
                        .put("total_size", tensors.stream().mapToLong(as::bytes).sum());
                ObjectNode map = index.putObject("weight_map");
                TreeMap<String, String> shardOf = new TreeMap<>();
                for (int i = 0; i < shards.size(); i++) {
                    String name = String.format("model-%05d-of-%05d.safetensors", i + 1, shards.size());
                    written.add(name);
                    Safetensors.write(folder.resolve(unfinished(name)), shards.get(i), metadata, as, content);
                    shards.get(i).forEach(tensor -> shardOf.put(tensor.name(), name));
                }
                shardOf.forEach(map::put);
                Files.deleteIfExists(folder.resolve(INDEX));
                for (String name : written) {
                    AtomicFile.put(folder.resolve(unfinished(name)), folder.resolve(name));
                }
                Json.write(folder.resolve(INDEX), index);
                Files.deleteIfExists(folder.resolve(MODEL));
            }
            deleteOthers(folder, written);
        } catch (IOException e) {
            throw CalmException.failed(
                    folder + ": the weights could not be written (" + e.getMessage() + "); is the disk full?", e);
        } finally {
            written.forEach(name -> deleteQuietly(folder.resolve(unfinished(name))));
        }
    }

    private static String unfinished(String name) {
        return "." + name + AtomicFile.NEW;
    }

    private static void deleteQuietly(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // The first error matters more than a leftover.
        }
    }

    /** Shards of earlier weights. */
    private static void deleteOthers(Path folder, Set<String> kept) throws IOException {
        List<Path> others;
        try (Stream<Path> files = Files.list(folder)) {
            others = files.filter(
                            file -> SHARD.matcher(file.getFileName().toString()).matches()
                                    && !kept.contains(file.getFileName().toString()))
                    .toList();
        }
        for (Path other : others) {
            Files.delete(other);
        }
    }

    /** In order, as many tensors into each shard as fit. */
    private static List<List<Tensor>> plan(Collection<Tensor> tensors, StoredType as, long maxBytes) {
        List<List<Tensor>> shards = new ArrayList<>();
        shards.add(new ArrayList<>());
        long bytes = 0;
        for (Tensor tensor : tensors) {
            if (!shards.getLast().isEmpty() && as.bytes(tensor) > maxBytes - bytes) {
                shards.add(new ArrayList<>());
                bytes = 0;
            }
            shards.getLast().add(tensor);
            bytes += as.bytes(tensor);
        }
        return shards;
    }
}
