package org.calm4j.calm.report;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleFunction;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.calm4j.engine.io.Json;

/**
 * A template filter that makes text out of one value.
 *
 * @param absent the text if there is no value
 */
record TextFilter(String name, String absent, Function<Object, String> text) implements Filter {
    private static final String UNTESTED = "went";

    /** All that the report's templates use. */
    static final List<TextFilter> ALL = List.of(
            number("percent", NumberText::percent),
            number("points", NumberText::points),
            number("decimal", NumberText::decimal),
            number("signed", NumberText::signed),
            number("p_value", NumberText::pValue),
            number("deviation", value -> String.format(Locale.ROOT, "%.1f", 100 * value)),
            number("duration", NumberText::duration),
            new TextFilter("interval", value -> ends(value, NumberText::percent)),
            new TextFilter("interval_decimal", value -> ends(value, NumberText::decimal)),
            new TextFilter("interval_signed", value -> ends(value, NumberText::signed)),
            new TextFilter("interval_points", value -> ends(value, NumberText::points)),
            new TextFilter("verb", UNTESTED, TextFilter::verb),
            new TextFilter(
                    "direction",
                    UNTESTED,
                    change -> verb(change).equals("did not clearly change") ? "unclear" : verb(change)),
            new TextFilter(
                    "model",
                    name -> name.equals("before") ? "Before" : name.equals("after") ? "After CALM" : name.toString()),
            new TextFilter("habit", TextFilter::habit),
            new TextFilter("way", TextFilter::way),
            // One clause per line: the steps of a detour.
            new TextFilter("steps", text -> text.toString().replace(" . ", " .\n")),
            new TextFilter("language", code -> languageName(code.toString())),
            new TextFilter("counts", TextFilter::counts),
            new TextFilter("shares", TextFilter::shares),
            new TextFilter(
                    "setting",
                    value -> value instanceof Map || value instanceof Collection
                            ? Json.compact(value)
                            : value.toString()),
            // A cell of a Markdown table; what Markdown or HTML would read as markup is quoted.
            new TextFilter("cell", value -> value.toString()
                    .replaceAll("([\\\\`*\\[\\]<>|])", "\\\\$1")
                    .replaceAll("\\R", " ")));

    private TextFilter(String name, Function<Object, String> text) {
        this(name, NumberText.NONE, text);
    }

    private static TextFilter number(String name, DoubleFunction<String> text) {
        return new TextFilter(
                name, value -> value instanceof Number number ? text.apply(number.doubleValue()) : NumberText.NONE);
    }

    private static String ends(Object interval, DoubleFunction<String> text) {
        return interval instanceof List<?> ends
                        && ends.size() == 2
                        && ends.get(0) instanceof Number low
                        && ends.get(1) instanceof Number high
                ? text.apply(low.doubleValue()) + " to " + text.apply(high.doubleValue())
                : NumberText.NONE;
    }

    private static String shares(Object shares) {
        return shares instanceof Map<?, ?> map && !map.isEmpty()
                ? map.entrySet().stream()
                        .map(each -> each.getKey() + " "
                                + (each.getValue() instanceof Number number
                                        ? NumberText.percent(number.doubleValue())
                                        : NumberText.NONE))
                        .collect(Collectors.joining(", "))
                : NumberText.NONE;
    }

    private static String counts(Object counts) {
        return counts instanceof Map<?, ?> map && !map.isEmpty()
                ? map.entrySet().stream()
                        .map(each -> each.getKey() + " " + each.getValue())
                        .collect(Collectors.joining(", "))
                : NumberText.NONE;
    }

    private static String habit(Object habit) {
        if (!(habit instanceof Map<?, ?> map && map.get("share") instanceof Number share)) {
            return NumberText.NONE;
        }
        return switch (verb(map.get("change"))) {
            case "rose" -> share.doubleValue() >= 0.5 ? "makes it the habit" : "strengthens it";
            case "fell" -> "weakens it";
            case "did not clearly change" -> "leaves it as it was";
            default -> NumberText.NONE;
        };
    }

    /** As what a speaker does. */
    private static String way(Object name) {
        String text = name.toString();
        return text.equals("direct")
                ? "answers by itself"
                : text.startsWith("through ") ? "asks " + text.substring("through ".length()) : text;
    }

    // A change counts as one where its interval leaves zero out.
    private static String verb(Object change) {
        if (change instanceof Map<?, ?> map
                && map.get("interval") instanceof List<?> ends
                && ends.get(0) instanceof Number low
                && ends.get(1) instanceof Number high) {
            return low.doubleValue() > 0 ? "rose" : high.doubleValue() < 0 ? "fell" : "did not clearly change";
        }
        return UNTESTED;
    }

    static String languageName(String code) {
        String name = Locale.forLanguageTag(code).getDisplayName(Locale.ENGLISH);
        return name.isEmpty() ? code : name;
    }

    @Override
    public String getName() {
        return name;
    }

    @Override
    public Object filter(Object value, JinjavaInterpreter interpreter, String... arguments) {
        return value == null || value.toString().isEmpty() ? absent : text.apply(value);
    }
}
