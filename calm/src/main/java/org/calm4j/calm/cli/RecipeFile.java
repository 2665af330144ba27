package org.calm4j.calm.cli;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.TextFile;
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

/** The keys of a YAML recipe, with their lines, and those of a command line. */
final class RecipeFile {
    private static final long MOST_BYTES = 1 << 20;
    /** Its keys are read as if they stood beside it. */
    private static final String KWARGS = "lr_scheduler_kwargs";

    /**
     * What a key has.
     *
     * @param all the words of a list, or one; none of a value with keys of its own
     * @param line from 1; 0 where the recipe does not say it, or {@link #TYPED}
     */
    record Value(List<String> all, int line) {
        /** The line of what stands on the command line. */
        static final int TYPED = -1;

        String text() {
            return String.join(",", all);
        }

        boolean isTrue() {
            return Set.of("true", "yes", "on").contains(text().toLowerCase(Locale.ROOT));
        }

        boolean isFalse() {
            return Set.of("false", "no", "off").contains(text().toLowerCase(Locale.ROOT));
        }

        boolean isTruth() {
            return isTrue() || isFalse();
        }

        /** Whether it has keys of its own. */
        boolean isNested() {
            return all.isEmpty();
        }
    }

    /** Null without one. */
    private final Path file;

    private final Map<String, Value> keys = new LinkedHashMap<>();
    private final Set<String> empty = new HashSet<>();

    private RecipeFile(Path file) {
        this.file = file;
    }

    /**
     * @param file null without one
     * @param typed keys of the command line, which win
     * @throws CalmException bad input: it cannot be read, or has another form; usage: of what is typed
     */
    static RecipeFile of(Path file, Map<String, Value> typed) {
        RecipeFile recipe = new RecipeFile(file);
        if (file != null) {
            recipe.read();
        }
        typed.forEach(recipe::type);
        return recipe;
    }

    private static Node node(String text) {
        LoaderOptions bounds = new LoaderOptions();
        bounds.setAllowDuplicateKeys(false);
        return new Yaml(new SafeConstructor(bounds)).compose(new StringReader(text));
    }

    /** As transformers does, keys of a key are typed as JSON. */
    private void type(String key, Value value) {
        keys.remove(key);
        if (!key.equals(KWARGS)) {
            keys.put(key, value);
            return;
        }
        try {
            if (node(value.text()) instanceof MappingNode map) {
                for (NodeTuple tuple : map.getValue()) {
                    if (tuple.getKeyNode() instanceof ScalarNode name
                            && tuple.getValueNode() instanceof ScalarNode one) {
                        keys.put(name.getValue(), new Value(List.of(one.getValue()), Value.TYPED));
                    }
                }
                return;
            }
        } catch (YAMLException e) {
            // Said below.
        }
        throw bad(key, value, "expected JSON, such as  {\"min_lr_rate\": 0.1}");
    }

    private void read() {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw CalmException.badInput(file, "is larger than a recipe can be");
            }
            if (!(node(TextFile.read(file)) instanceof MappingNode map)) {
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
            if (!(tuple.getKeyNode() instanceof ScalarNode name)) {
                throw CalmException.badInput(file + ":" + line, "a key is a word");
            }
            String key = name.getValue().replace('-', '_');
            Node node = tuple.getValueNode();
            if (node instanceof MappingNode inner && top && key.equals(KWARGS)) {
                read(inner, false);
                continue;
            }
            if (Tag.NULL.equals(node.getTag())) {
                empty.add(key);
                continue;
            }
            List<String> words = node instanceof ScalarNode scalar
                    ? List.of(scalar.getValue())
                    : node instanceof SequenceNode list
                                    && list.getValue().stream().allMatch(ScalarNode.class::isInstance)
                            ? list.getValue().stream()
                                    .map(each -> ((ScalarNode) each).getValue())
                                    .toList()
                            : List.of();
            if (keys.put(key, new Value(words, line)) != null) {
                throw CalmException.badInput(file + ":" + line, key + " is given twice");
            }
        }
    }

    /** By name, with underscores, in order; without keys that have no value. */
    Map<String, Value> keys() {
        return keys;
    }

    /** Whether a key is there without a value, which is another thing than a default. */
    boolean isEmpty(String key) {
        return empty.contains(key);
    }

    /** {@code file:line} of a key of the file. */
    String where(Value value) {
        return value.line() == 0 ? file.toString() : file + ":" + value.line();
    }

    /** Bad input, at a key; wrong usage, where it is typed. */
    CalmException bad(String key, Value value, Object... what) {
        return value.line() == Value.TYPED
                ? CalmException.usage(what).within(Setting.of(key).flag() + ": ")
                : CalmException.badInput(where(value) + ": " + key, what);
    }

    /** What stands before what is said of it. */
    String prefix() {
        return file == null ? "calm: " : "calm: " + file + ": ";
    }

    @Override
    public String toString() {
        return String.valueOf(file);
    }
}
