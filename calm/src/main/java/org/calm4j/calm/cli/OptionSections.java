package org.calm4j.calm.cli;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Help;
import picocli.CommandLine.IHelpSectionRenderer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** The options of a command in its help, under the headings of the records that they come from; first those that have none. */
final class OptionSections implements IHelpSectionRenderer {
    @Override
    public String render(Help help) {
        CommandSpec command = help.commandSpec();
        Map<OptionSpec, String> headings = new HashMap<>();
        for (CommandSpec mixin : command.mixins().values()) {
            if (mixin.userObject() instanceof Given<?> given) {
                headings.putAll(given.sections());
            }
        }
        if (headings.isEmpty()) {
            return help.optionList();
        }
        List<OptionSpec> all =
                command.options().stream().filter(option -> !option.hidden()).toList();
        Map<String, List<OptionSpec>> sections = all.stream()
                .collect(Collectors.groupingBy(
                        option -> headings.getOrDefault(option, ""), LinkedHashMap::new, Collectors.toList()));
        List<OptionSpec> own = sections.remove("");
        StringBuilder text = new StringBuilder(own == null ? "" : section(help, all, own));
        sections.forEach((heading, options) -> text.append(System.lineSeparator())
                .append(help.colorScheme().text("@|bold " + heading + "|@"))
                .append(System.lineSeparator())
                .append(section(help, all, options)));
        return text.toString();
    }

    /** @param all those of the command, which have columns of one width */
    private static String section(Help help, List<OptionSpec> all, List<OptionSpec> options) {
        Help.Layout layout = help.createDefaultLayout(all, new ArrayList<>(), help.colorScheme());
        layout.addOptions(options, help.parameterLabelRenderer());
        return layout.toString();
    }
}
