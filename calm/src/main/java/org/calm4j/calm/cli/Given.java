package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.option.Option;
import org.calm4j.calm.option.Options;
import org.calm4j.engine.Setting;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Spec;

/** The options of a record as flags of a command, and the record of what was given. */
@Command
final class Given<R extends Record> {
    private static final Pattern OTHER = Pattern.compile("(?<!\\$)\\{([a-z0-9_]+)}");
    private static final String DEFAULT = " (default: ${DEFAULT-VALUE})";

    private final Options<R> options;
    private final Map<String, OptionSpec> flags = new HashMap<>();

    Given(Class<R> type) {
        options = Options.of(type);
    }

    /** Adds the flags to the command that has this. */
    @Spec(Spec.Target.MIXEE)
    private void addTo(CommandSpec command) {
        for (Options.Defined option : options.all()) {
            OptionSpec flag = flag(option);
            flags.put(option.name(), flag);
            command.addOption(flag);
        }
    }

    private static OptionSpec flag(Options.Defined option) {
        Option definition = option.option();
        OptionSpec.Builder flag = OptionSpec.builder(option.names().stream()
                        .map(name -> Setting.of(name).flag())
                        .toArray(String[]::new))
                .type(option.type())
                .auxiliaryTypes(option.parts())
                .description(description(option))
                .defaultValue(option.standard() == null || option.standard().isEmpty() ? null : option.standard());
        if (!definition.label().isEmpty()) {
            flag.paramLabel(definition.label());
        } else if (option.type().isEnum()) {
            flag.paramLabel(Stream.of(option.type().getEnumConstants())
                    .map(Object::toString)
                    .collect(Collectors.joining("|")));
        }
        Class<?>[] parts = option.parts();
        if (definition.auto()) {
            ITypeConverter<Integer> whole = new NumberConverters.Whole();
            flag.converters(text -> text.equals("auto") ? (Integer) Option.AUTO : whole.convert(text));
        } else if (parts[0] == int.class || parts[0] == Integer.class) {
            flag.converters(new NumberConverters.Whole());
        } else if (option.type() == Map.class) {
            flag.converters(text -> text, new NumberConverters.Finite());
        } else if (parts[0] == double.class || parts[0] == Double.class) {
            flag.converters(new NumberConverters.Finite());
        }
        if (option.type() == Boolean.class) {
            flag.arity("0..1").fallbackValue("true");
        }
        if (definition.choices() != Option.None.class) {
            flag.completionCandidates(choices(definition));
        }
        boolean list = option.type() == List.class && definition.splits();
        if (list) {
            flag.arity("1..*");
        }
        if (list && option.parts()[0] != Path.class || option.type() == Map.class) {
            flag.splitRegex(",").hideParamSyntax(true);
        }
        return flag.build();
    }

    private static Iterable<String> choices(Option definition) {
        try {
            var constructor = definition.choices().getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** With flags in place of the names of options, and without a default where there is none. */
    private static String description(Options.Defined option) {
        String help = option.option().value();
        return OTHER.matcher(option.standard() == null ? help.replace(DEFAULT, "") : help)
                .replaceAll(other ->
                        Matcher.quoteReplacement(Setting.of(other.group(1)).flag()));
    }

    /** The headings of flags that have one. */
    Map<OptionSpec, String> sections() {
        Map<OptionSpec, String> sections = new HashMap<>();
        for (Options.Defined option : options.all()) {
            if (!option.section().isEmpty()) {
                sections.put(flags.get(option.name()), option.section());
            }
        }
        return sections;
    }

    /** @throws org.calm4j.engine.CalmException wrong usage: a value that the record does not take */
    R get() {
        Map<String, Object> values = new HashMap<>();
        flags.forEach((name, flag) -> values.put(name, flag.getValue()));
        return options.record(values);
    }
}
