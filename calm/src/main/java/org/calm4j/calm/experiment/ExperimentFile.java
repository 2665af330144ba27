package org.calm4j.calm.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.PropertyBindingException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.type.LogicalType;
import com.fasterxml.jackson.databind.util.ClassUtil;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.calm4j.calm.option.Options;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Excerpt;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.JsonProblem;
import org.calm4j.engine.io.TextFile;
import org.yaml.snakeyaml.error.MarkedYAMLException;

/** An {@link ExperimentConfig} from a YAML file; an unknown key is an error with its line. */
public final class ExperimentFile {
    private static final int MOST_KNOWN = 12;
    private static final int NEAR = 5;

    private static final YAMLMapper YAML = YAMLMapper.builder(YAMLFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_IGNORED_PROPERTIES)
            // A single file of questions needs no brackets, and a section may be empty.
            .enable(DeserializationFeature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
            .withCoercionConfig(
                    LogicalType.POJO,
                    config -> config.setCoercion(CoercionInputShape.EmptyString, CoercionAction.AsNull))
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .build();

    /** The settings that override the file. */
    private static final Setting SET = Setting.of("set");

    private ExperimentFile() {}

    /**
     * @param overrides keys, with a dot between section and key, to values as YAML
     * @throws CalmException bad input: the file, with its line; wrong usage: an override
     */
    public static ExperimentConfig read(Path file, Map<String, String> overrides) {
        return read(file, overrides, ExperimentConfig.class);
    }

    /**
     * Settings of another kind by the same rules.
     *
     * @param file null for none: the overrides alone
     * @param standard the result if there is neither
     */
    public static <T> T read(Path file, Map<String, String> overrides, Class<T> type, T standard) {
        if (file != null) {
            return read(file, overrides, type);
        }
        if (overrides.isEmpty()) {
            return standard;
        }
        ObjectNode tree = YAML.createObjectNode();
        overrides.forEach((key, value) -> set(tree, key, value));
        return overridden(tree, type);
    }

    /** Settings of another kind in a file of their own, which may be empty. */
    public static <R extends Record> R readOptions(Path file, Class<R> type) {
        try {
            return Files.readString(file).isBlank() ? Options.standard(type) : read(file, Map.of(), type);
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    private static <T> T read(Path file, Map<String, String> overrides, Class<T> type) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            if (!(YAML.readTree(bytes) instanceof ObjectNode tree)) {
                throw CalmException.badInput(file, "expected keys and values, such as  model: DIR");
            }
            TextFile.checkWhole(tree.toString(), file);
            overrides.forEach((key, value) -> set(tree, key, value));
            // The file alone first: only there Jackson knows lines.
            T config = bound(bytes, type, overrides.isEmpty());
            return config == null ? overridden(tree, type) : config;
        } catch (JsonProcessingException e) {
            throw problem(file, e);
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    // An override may give what the file lacks, so only unknown keys and wrong types are errors of the file.
    private static <T> T bound(byte[] bytes, Class<T> type, boolean alone) throws IOException {
        try {
            T config = YAML.readValue(bytes, type);
            return alone ? config : null;
        } catch (ValueInstantiationException e) {
            if (alone || !(e.getCause() instanceof CalmException)) {
                throw e;
            }
            return null;
        }
    }

    private static <T> T overridden(ObjectNode tree, Class<T> type) {
        try {
            return YAML.treeToValue(tree, type);
        } catch (JsonProcessingException e) {
            throw CalmException.usage(SET, ": " + what(e));
        }
    }

    private static void set(ObjectNode tree, String key, String value) {
        String[] names = key.split("\\.");
        ObjectNode section = tree;
        for (int i = 0; i < names.length - 1; i++) {
            JsonNode next = section.get(names[i]);
            if (next != null && !next.isObject()) {
                throw CalmException.usage(SET.at(key), ": " + names[i] + " is not a section");
            }
            section = next == null ? section.putObject(names[i]) : (ObjectNode) next;
        }
        try {
            section.set(names[names.length - 1], YAML.readTree(value));
        } catch (JsonProcessingException e) {
            throw CalmException.usage(SET.at(key), ": '" + value + "' is not YAML");
        }
    }

    /** A setting as a key of an experiment's file, with its section where only one has it. */
    public static String key(Setting setting) {
        List<String> sections = Stream.of(ExperimentConfig.class.getRecordComponents())
                .filter(section -> Options.isRecord(section.getType())
                        && Options.of(section.getType().asSubclass(Record.class))
                                .knows(setting.name()))
                .map(RecordComponent::getName)
                .toList();
        return (sections.size() == 1 && setting.section() == null ? sections.getFirst() + "." : "") + setting.key();
    }

    private static CalmException problem(Path file, JsonProcessingException e) {
        int line = e.getCause() instanceof MarkedYAMLException broken && broken.getProblemMark() != null
                ? broken.getProblemMark().getLine() + 1
                // For an error of a record, Jackson's place is the end of the section.
                : e.getLocation() == null || e.getCause() instanceof CalmException
                        ? 0
                        : e.getLocation().getLineNr();
        return CalmException.badInput(line < 1 ? file : file + ":" + line, what(e), e);
    }

    /** All of a few, of many those that are most like the one that was given. */
    private static String known(String given, List<String> names) {
        if (names.size() <= MOST_KNOWN) {
            return "; known: " + String.join(", ", names);
        }
        LevenshteinDistance distance = LevenshteinDistance.getDefaultInstance();
        return "; of " + names.size() + " known ones these are near: "
                + names.stream()
                        .sorted(Comparator.comparing(name -> distance.apply(name, given)))
                        .limit(NEAR)
                        .collect(Collectors.joining(", "));
    }

    private static String what(JsonProcessingException e) {
        String key = e instanceof JsonMappingException mapping ? JsonProblem.path(mapping) : "";
        if (e.getCause() instanceof CalmException known) {
            return (key.isEmpty() ? known : known.in(key)).message(Setting::key);
        }
        if (e instanceof PropertyBindingException unknown) {
            String known = unknown.getKnownPropertyIds() == null
                    ? ""
                    : known(
                            unknown.getPropertyName(),
                            unknown.getKnownPropertyIds().stream()
                                    .map(String::valueOf)
                                    .sorted()
                                    .toList());
            return "unknown key '" + key + "'" + known;
        }
        if (e.getCause() instanceof MarkedYAMLException broken && broken.getProblemMark() != null) {
            return broken.getProblem();
        }
        String what = e instanceof MismatchedInputException wrong && wrong.getTargetType() != null
                ? expected(wrong)
                : e instanceof JsonMappingException mapping ? JsonProblem.what(mapping) : JsonProblem.of(e);
        return (key.isEmpty() ? "" : key + ": ") + what.replace("JSON", "YAML");
    }

    private static String expected(MismatchedInputException e) {
        Class<?> type = e.getTargetType().isPrimitive() ? ClassUtil.wrapperType(e.getTargetType()) : e.getTargetType();
        String given = e instanceof InvalidFormatException wrong ? Excerpt.of(wrong.getValue()) + " is " : "";
        if (type.isEnum()) {
            return given + "not one of "
                    + Stream.of(type.getEnumConstants()).map(Object::toString).collect(Collectors.joining(", "));
        }
        String wanted = type == Integer.class || type == Long.class
                ? "a whole number"
                : Number.class.isAssignableFrom(type)
                        ? "a number"
                        : type == Boolean.class
                                ? "true or false"
                                : Collection.class.isAssignableFrom(type)
                                        ? "a list"
                                        : type == String.class || type == Path.class
                                                ? "text"
                                                : "a section with keys and values";
        return (given.isEmpty() ? "expected " : given + "not ") + wanted;
    }
}
