package org.calm4j.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ConfigFields;
import org.calm4j.engine.text.BoundedRegex;

/**
 * Which modules an adapter changes, by the rules of PEFT ({@code check_target_module_exists}).
 *
 * @param modules {@code target_modules}: ends of names, or one regular expression for whole names
 * @param excluded {@code exclude_modules}, in the same way
 * @param saved {@code modules_to_save}, which are replaced as a whole and have no adapter
 * @param layers {@code layers_to_transform}; null for all
 * @param layerPatterns {@code layers_pattern}: the name before the number of a layer; empty for any name
 */
record AdapterTargets(
        Names modules,
        Names excluded,
        List<String> saved,
        List<Integer> layers,
        List<String> layerPatterns,
        Object where) {
    private static final Pattern LAYER = Pattern.compile(".*?\\.[^.]*\\.(\\d+)\\..*");

    /**
     * @param regex null if there is a list
     * @param ends null if there is no list
     */
    private record Names(String regex, List<String> ends) {
        static Names of(ConfigFields fields, String name) {
            return fields.json().path(name).isTextual()
                    ? new Names(fields.text(name, null), null)
                    : new Names(null, fields.texts(name));
        }

        boolean fit(String path, Object where) {
            return regex != null
                    ? BoundedRegex.matches(regex, path, where)
                    : ends != null && ends.stream().anyMatch(end -> path.equals(end) || path.endsWith("." + end));
        }
    }

    /** @throws CalmException bad input: a field of another type */
    static AdapterTargets of(ConfigFields fields) {
        List<String> saved = fields.texts("modules_to_save");
        JsonNode pattern = fields.json().path("layers_pattern");
        List<String> patterns = pattern.isTextual() ? List.of(pattern.textValue()) : fields.texts("layers_pattern");
        JsonNode layers = fields.json().path("layers_to_transform");
        boolean all = !fields.has("layers_to_transform") || layers.isArray() && layers.isEmpty();
        List<Integer> numbers = all ? null : fields.ids("layers_to_transform");
        return new AdapterTargets(
                Names.of(fields, "target_modules"),
                Names.of(fields, "exclude_modules"),
                saved == null ? List.of() : saved,
                numbers,
                patterns == null
                        ? List.of()
                        : patterns.stream().filter(each -> !each.isEmpty()).toList(),
                fields.where());
    }

    /** All linear layers except the head, whatever their names. */
    boolean isAllLinear() {
        return "all-linear".equalsIgnoreCase(modules.regex);
    }

    /** @param path the name of a module in the base model, such as {@code model.layers.0.mlp.up_proj} */
    boolean adapts(String path) {
        if (excluded.fit(path, where)
                || saved.stream()
                        .anyMatch(module -> BoundedRegex.matches("(^|.*\\.)" + module + "($|\\..*)", path, where))) {
            return false;
        }
        if (isAllLinear()) {
            return true;
        }
        // A whole name in the list is adapted in any layer, as is a match of a regular expression.
        boolean whole = modules.regex != null || modules.ends != null && modules.ends.contains(path);
        return modules.fit(path, where) && (whole || layers == null || layers.contains(layer(path)));
    }

    /** -1 if the name has no number in the right place. */
    private int layer(String path) {
        for (String pattern : layerPatterns) {
            String before = ".*?\\." + pattern + "\\.";
            for (Matcher number = Pattern.compile("\\d+").matcher(path); number.find(); ) {
                if (path.startsWith(".", number.end())
                        && BoundedRegex.matches(before, path.substring(0, number.start()), where)) {
                    return Integer.parseInt(number.group());
                }
            }
        }
        Matcher matcher = LAYER.matcher(path);
        return layerPatterns.isEmpty() && matcher.matches() ? Integer.parseInt(matcher.group(1)) : -1;
    }
}
