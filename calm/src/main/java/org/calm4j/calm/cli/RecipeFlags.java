package org.calm4j.calm.cli;

import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.calm4j.calm.cli.RecipeFile.Value;
import picocli.CommandLine.Model.OptionSpec;

/** The flags that a recipe stands for, and where it says so. */
final class RecipeFlags {
    private final RecipeFacts facts;
    private final Map<OptionSpec, List<String>> flags = new LinkedHashMap<>();
    private final Map<OptionSpec, String> origins = new HashMap<>();

    RecipeFlags(RecipeFacts facts) {
        this.facts = facts;
    }

    Stream<String> all() {
        return flags.values().stream().flatMap(List::stream);
    }

    /** Where an option has its value from, as {@code file:line: key}; null if the recipe does not say it. */
    String origin(OptionSpec option) {
        return origins.get(option);
    }

    /**
     * @param key that says it
     * @param name of the option
     */
    void add(String key, String name, List<String> values) {
        OptionSpec option = facts.option(name);
        Value value = facts.keys().get(key);
        if (option == null) {
            throw facts.file()
                    .bad(
                            key,
                            value,
                            name + " is not an option of calm "
                                    + facts.command().name());
        }
        if (facts.isGiven(option)) {
            return;
        }
        if (value.line() > 0) {
            origins.put(option, facts.file().where(value) + ": " + key);
        }
        String flag = "--" + name.replace('_', '-');
        boolean list = option.isMultiValue()
                && option.splitRegex().isEmpty()
                && Collection.class.isAssignableFrom(option.type());
        if (option.type() == boolean.class || option.arity().max() == 0) {
            Value truth = new Value(values, value.line());
            if (!truth.isTrue() && !truth.isFalse()) {
                throw facts.file().bad(key, value, "'" + truth.text() + "' is neither true nor false");
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
