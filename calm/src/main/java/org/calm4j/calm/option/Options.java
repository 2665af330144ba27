package org.calm4j.calm.option;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;

/** The options of a record, by name: what the command line, YAML files and Java have in common. */
public final class Options<R extends Record> {
    private static final Map<Class<?>, Options<?>> KNOWN = new ConcurrentHashMap<>();
    private static final String SEPARATOR = ",";

    /**
     * One option.
     *
     * @param name in lower case with underscores
     * @param standard the default as text; null without one
     * @param section heading in a command's help; empty without one
     */
    public record Defined(String name, Option option, String standard, Class<?> type, Type generic, String section) {
        /** Its name and its aliases. */
        public List<String> names() {
            return Stream.concat(Stream.of(name), Arrays.stream(option.also())).toList();
        }

        /** The element types of its value: those of a list's or map's parts, otherwise its own. */
        public Class<?>[] parts() {
            return generic instanceof ParameterizedType of
                    ? Arrays.stream(of.getActualTypeArguments())
                            .map(Class.class::cast)
                            .toArray(Class<?>[]::new)
                    : new Class<?>[] {type};
        }

        Object standardValue() {
            if (standard == null) {
                return type == boolean.class ? false : type.isPrimitive() ? converted(0) : null;
            }
            if (type == List.class) {
                return converted(standard.isEmpty() ? List.of() : List.of(standard.split(SEPARATOR)));
            }
            return type == Map.class ? Map.of() : converted(standard);
        }

        /** A value of its type. */
        private Object converted(Object value) {
            return Json.mapper()
                    .convertValue(value, Json.mapper().getTypeFactory().constructType(generic));
        }
    }

    private final Class<R> type;
    private final Map<String, Defined> defined = new LinkedHashMap<>();
    private final Map<String, Defined> byAnyName = new LinkedHashMap<>();

    private Options(Class<R> type) {
        this.type = type;
        define(type, null);
        defined.values().forEach(option -> option.names().forEach(name -> byAnyName.put(name, option)));
    }

    @SuppressWarnings("unchecked")
    public static <R extends Record> Options<R> of(Class<R> type) {
        return (Options<R>) KNOWN.computeIfAbsent(type, each -> new Options<>((Class<R>) each));
    }

    /** A record of the defaults. */
    public static <R extends Record> R standard(Class<R> type) {
        return make(type, Map.of());
    }

    /** A record of these options, by any of their names, and the defaults of the rest. */
    public static <R extends Record> R make(Class<R> type, Map<String, ?> given) {
        return of(type).with(Map.of(), given);
    }

    /** The same with other values of these options. */
    @SuppressWarnings("unchecked")
    public static <R extends Record> R with(R record, Map<String, ?> changes) {
        Options<R> options = of((Class<R>) record.getClass());
        return options.with(options.values(record), changes);
    }

    private void define(Class<?> record, Defaults here) {
        for (RecordComponent component : record.getRecordComponents()) {
            if (component.getType().isRecord()) {
                define(component.getType(), component.getAnnotation(Defaults.class));
                continue;
            }
            Option option = Objects.requireNonNull(component.getAnnotation(Option.class), component.toString());
            String name = name(component);
            String standard = standard(name, option, here);
            defined.put(
                    name,
                    new Defined(
                            name,
                            option,
                            standard.equals(Option.NONE) ? null : standard,
                            component.getType(),
                            component.getGenericType(),
                            record.getAnnotation(OptionRecord.class).value()));
        }
    }

    private static String standard(String name, Option option, Defaults here) {
        for (String each : here == null ? new String[0] : here.value()) {
            if (each.startsWith(name + "=")) {
                return each.substring(name.length() + 1);
            }
        }
        return here != null && here.none() ? Option.NONE : option.standard();
    }

    private static String name(RecordComponent component) {
        return SnakeCaseStrategy.INSTANCE.translate(component.getName());
    }

    public Iterable<Defined> all() {
        return Collections.unmodifiableCollection(defined.values());
    }

    List<String> names() {
        return List.copyOf(defined.keySet());
    }

    public static boolean isRecord(Class<?> type) {
        return type.isAnnotationPresent(OptionRecord.class);
    }

    public boolean knows(String name) {
        return defined.containsKey(name);
    }

    /** Whether an option's value is a list. */
    public boolean isList(String name) {
        return defined.get(name).type() == List.class;
    }

    /** By its name or an alias; null if unknown. */
    Defined named(String name) {
        return byAnyName.get(name);
    }

    /**
     * A record of these values, with the defaults of the rest.
     *
     * @param values by the options' own names; null if not given
     * @throws CalmException wrong usage, by the record's constructor: a value that it refuses
     */
    public R record(Map<String, ?> values) {
        return type.cast(build(type, values));
    }

    private R with(Map<String, ?> base, Map<String, ?> changes) {
        Map<String, Object> values = new LinkedHashMap<>(base);
        changes.forEach((name, value) -> {
            Defined option = named(name);
            if (option == null) {
                throw new IllegalArgumentException("unknown option " + name + "; known: " + names());
            }
            values.put(option.name, option.converted(value));
        });
        return record(values);
    }

    /** By name, in order. */
    Map<String, Object> values(R record) {
        Map<String, Object> values = new LinkedHashMap<>();
        collect(record, values);
        return values;
    }

    /** The options that decide a stage's result, for comparison with those of an earlier run. */
    Map<String, Object> deciding(R record) {
        Map<String, Object> values = values(record);
        defined.values().stream()
                .filter(option ->
                        option.option.later() && Objects.equals(values.get(option.name), option.standardValue()))
                .forEach(option -> values.remove(option.name));
        return values;
    }

    /** A record as a section of a file, with some of its options changed, by any of their names. */
    public ObjectNode changed(R base, ObjectNode changes) {
        ObjectNode section = Json.mapper().valueToTree(base);
        changes.properties().forEach(each -> {
            Defined option = named(each.getKey());
            section.set(option == null ? each.getKey() : option.name, each.getValue());
        });
        return section;
    }

    private void collect(Record record, Map<String, Object> values) {
        for (RecordComponent component : record.getClass().getRecordComponents()) {
            try {
                component.getAccessor().setAccessible(true);
                Object value = component.getAccessor().invoke(record);
                if (value instanceof Record part) {
                    collect(part, values);
                } else {
                    values.put(name(component), value);
                }
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private Object build(Class<?> record, Map<String, ?> values) {
        RecordComponent[] components = record.getRecordComponents();
        Object[] arguments = new Object[components.length];
        for (int i = 0; i < components.length; i++) {
            if (components[i].getType().isRecord()) {
                arguments[i] = build(components[i].getType(), values);
            } else {
                Object value = values.get(name(components[i]));
                arguments[i] = value == null ? defined.get(name(components[i])).standardValue() : value;
            }
        }
        try {
            Constructor<?> constructor = record.getDeclaredConstructor(
                    Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new));
            constructor.setAccessible(true);
            return constructor.newInstance(arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause() instanceof RuntimeException problem ? problem : new IllegalStateException(e);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
