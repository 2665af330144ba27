package org.calm4j.engine.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;

/** The methods of Python's text. */
final class TextMethods {
    private static final Set<String> NAMES = Set.of(
            "capitalize",
            "casefold",
            "center",
            "count",
            "endswith",
            "expandtabs",
            "find",
            "format",
            "format_map",
            "index",
            "isalnum",
            "isalpha",
            "isascii",
            "isdecimal",
            "isdigit",
            "isidentifier",
            "islower",
            "isnumeric",
            "isprintable",
            "isspace",
            "istitle",
            "isupper",
            "join",
            "ljust",
            "lower",
            "lstrip",
            "partition",
            "removeprefix",
            "removesuffix",
            "replace",
            "rfind",
            "rindex",
            "rjust",
            "rpartition",
            "rsplit",
            "rstrip",
            "split",
            "splitlines",
            "startswith",
            "strip",
            "swapcase",
            "title",
            "upper",
            "zfill");
    private static final Set<String> OTHERS = Set.of("encode", "maketrans", "translate");

    private final String text;
    private final boolean markup;
    private final Interpreter interpreter;
    private final Budget budget;

    private TextMethods(Object value, Interpreter interpreter) {
        text = Python.text(value);
        markup = value instanceof Markup;
        this.interpreter = interpreter;
        budget = interpreter.budget();
    }

    /** Null where text has no such method. */
    static Callable of(Object value, String name, Interpreter interpreter) {
        if (OTHERS.contains(name)) {
            return new Callable(name, _ -> {
                throw new TemplateFailure("calls " + name + " of a text, which is not supported");
            });
        }
        if (!NAMES.contains(name)) {
            return null;
        }
        TextMethods methods = new TextMethods(value, interpreter);
        return new Callable(name, given -> methods.marked(methods.call(name, given)));
    }

    /** What a method of safe text gives is safe. */
    private Object marked(Object value) {
        if (!markup) {
            return value;
        }
        return switch (value) {
            case String made -> new Markup(made);
            case List<?> list ->
                new ArrayList<Object>(
                        list.stream().map(each -> new Markup((String) each)).toList());
            case Tuple tuple ->
                new Tuple(new ArrayList<>(tuple.items().stream()
                        .map(each -> new Markup((String) each))
                        .toList()));
            default -> value;
        };
    }

    private Object call(String name, Arguments given) {
        budget.text(text.length());
        return switch (name) {
            case "strip" -> Text.strip(text, characters(name, given), true, true);
            case "lstrip" -> Text.strip(text, characters(name, given), true, false);
            case "rstrip" -> Text.strip(text, characters(name, given), false, true);
            case "startswith", "endswith" -> affix(name, given);
            case "split", "rsplit" -> split(name, given);
            case "splitlines" -> counted(Text.lines(text, Arguments.flag(given.bind(name, 0, "keepends")[0])));
            case "join" -> join(given);
            case "replace" -> replace(given);
            case "find", "index", "rfind", "rindex" -> find(name, given);
            case "count" -> count(given);
            case "partition", "rpartition" -> partition(name, given);
            case "removeprefix" -> {
                String prefix = string(given.places(name, 1, 1)[0], name);
                yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
            }
            case "removesuffix" -> {
                String suffix = string(given.places(name, 1, 1)[0], name);
                yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
            }
            case "center", "ljust", "rjust" -> justify(name, given);
            case "zfill" -> zeros(Numbers.small(given.places(name, 1, 1)[0], "a width"));
            case "expandtabs" -> tabs(Numbers.small(Arguments.or(given.bind(name, 0, "tabsize")[0], 8L), "a width"));
            case "format" -> budget.made(new BraceFormat(interpreter, given, markup).format(text, 0));
            case "format_map" -> {
                if (!(given.places(name, 1, 1)[0] instanceof Map<?, ?> map)) {
                    throw new TemplateFailure("gives format_map what is not a dict");
                }
                yield budget.made(new BraceFormat(interpreter, BraceFormat.of(map), markup).format(text, 0));
            }
            default -> {
                given.places(name, 0, 0);
                yield plain(name);
            }
        };
    }

    private Object plain(String name) {
        return switch (name) {
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "casefold" ->
                text.replace("ß", "ss")
                        .replace("ẞ", "ss")
                        .toUpperCase(Locale.ROOT)
                        .toLowerCase(Locale.ROOT);
            case "capitalize" -> capitalize(text);
            case "title" -> title(text);
            case "swapcase" -> swapped();
            case "isascii" -> text.chars().allMatch(c -> c < 128);
            case "isdigit" -> all(c -> Character.isDigit(c) || "²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉①②③④⑤⑥⑦⑧⑨".indexOf(c) >= 0);
            case "isdecimal" -> all(Character::isDigit);
            case "isnumeric" ->
                all(c -> Character.getNumericValue(c) >= 0 && !Character.isLetter(c)
                        || Character.getType(c) == Character.LETTER_NUMBER
                        || Character.getType(c) == Character.OTHER_NUMBER
                        || "〇一二三四五六七八九十百千万亿".indexOf(c) >= 0);
            case "isalpha" -> all(Character::isLetter);
            case "isalnum" ->
                all(c -> Character.isLetterOrDigit(c)
                        || Character.getType(c) == Character.OTHER_NUMBER
                        || Character.getType(c) == Character.LETTER_NUMBER);
            case "isspace" -> all(Text::isSpace);
            case "isprintable" -> text.codePoints().allMatch(Repr::isPrintable);
            case "isidentifier" -> isIdentifier();
            case "islower" -> isLower(text);
            case "isupper" -> isUpper(text);
            case "istitle" -> isTitle();
            default -> throw new IllegalStateException(name);
        };
    }

    private boolean all(IntPredicate test) {
        return !text.isEmpty() && text.codePoints().allMatch(test);
    }

    private boolean isIdentifier() {
        return !text.isEmpty()
                && (text.charAt(0) == '_' || Character.isUnicodeIdentifierStart(text.codePointAt(0)))
                && text.codePoints()
                        .allMatch(c -> c == '_'
                                || Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c));
    }

    static boolean isLower(String text) {
        return text.codePoints().anyMatch(Character::isLowerCase)
                && text.codePoints().noneMatch(c -> Character.isUpperCase(c) || Character.isTitleCase(c));
    }

    static boolean isUpper(String text) {
        return text.codePoints().anyMatch(Character::isUpperCase)
                && text.codePoints().noneMatch(c -> Character.isLowerCase(c) || Character.isTitleCase(c));
    }

    private boolean isTitle() {
        boolean cased = false;
        boolean before = false;
        for (int c : text.codePoints().toArray()) {
            boolean upper = Character.isUpperCase(c) || Character.isTitleCase(c);
            boolean lower = Character.isLowerCase(c);
            if (upper && before || lower && !before) {
                return false;
            }
            before = upper || lower;
            cased |= before;
        }
        return cased;
    }

    private String swapped() {
        StringBuilder swapped = new StringBuilder();
        text.codePoints().forEach(c -> {
            String one = Character.toString(c);
            swapped.append(Character.isUpperCase(c) ? one.toLowerCase(Locale.ROOT) : one.toUpperCase(Locale.ROOT));
        });
        return swapped.toString();
    }

    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.codePointAt(0));
        // Lower case as within the whole, where a sigma at the end has a form of its own.
        return titled(text.substring(0, first))
                + ("x" + text.substring(first)).toLowerCase(Locale.ROOT).substring(1);
    }

    private static String titled(String character) {
        int point = character.codePointAt(0);
        return Character.toTitleCase(point) == point
                        && character.toUpperCase(Locale.ROOT).length() > character.length()
                ? character.toUpperCase(Locale.ROOT).charAt(0)
                        + character.toUpperCase(Locale.ROOT).substring(1).toLowerCase(Locale.ROOT)
                : Character.toString(Character.toTitleCase(point));
    }

    private static String title(String text) {
        StringBuilder titled = new StringBuilder();
        boolean cased = false;
        for (int c : text.codePoints().toArray()) {
            String one = Character.toString(c);
            titled.append(cased ? one.toLowerCase(Locale.ROOT) : titled(one));
            cased = Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
        }
        return titled.toString();
    }

    private String characters(String name, Arguments given) {
        Object characters = Arguments.or(given.places(name, 0, 1)[0], null);
        if (characters == null) {
            return null;
        }
        Budget.search(text.length(), string(characters, name).length());
        return string(characters, name);
    }

    private static String string(Object value, String name) {
        String text = Python.text(value);
        if (text == null) {
            throw new TemplateFailure("gives " + name + " " + Python.type(value) + " instead of a text");
        }
        return text;
    }

    private boolean affix(String name, Arguments given) {
        Object[] values = given.places(name, 1, 3);
        String within = text;
        if (values[1] != Arguments.ABSENT || values[2] != Arguments.ABSENT) {
            int length = Text.length(text);
            int[] window = Sequences.window(values[1], values[2], length);
            boolean beyond =
                    values[1] != Arguments.ABSENT && values[1] != null && Numbers.small(values[1], "a place") > length;
            if (beyond || window[1] < window[0]) {
                return false;
            }
            within = Text.sub(text, window[0], window[1]);
        }
        List<?> all = values[0] instanceof Tuple tuple ? tuple.items() : List.of(string(values[0], name));
        boolean found = false;
        for (Object each : all) {
            found |= name.equals("startswith")
                    ? within.startsWith(string(each, name))
                    : within.endsWith(string(each, name));
        }
        return found;
    }

    private Object split(String name, Arguments given) {
        Object[] values = given.bind(name, 0, "sep", "maxsplit");
        Object separator = Arguments.or(values[0], null);
        int most = Numbers.small(Arguments.or(values[1], -1L), "maxsplit");
        most = most < 0 ? Integer.MAX_VALUE : most;
        boolean right = name.equals("rsplit");
        if (separator == null) {
            return counted(right ? lastWords(most) : words(most));
        }
        String by = string(separator, name);
        Budget.search(text.length(), by.length());
        if (by.isEmpty()) {
            throw new TemplateFailure("splits a text at an empty separator");
        }
        List<Object> parts = new ArrayList<>();
        if (right) {
            int end = text.length();
            for (int found = lastBefore(by, end); found >= 0 && parts.size() < most; found = lastBefore(by, end)) {
                parts.add(text.substring(found + by.length(), end));
                end = found;
            }
            parts.add(text.substring(0, end));
            Collections.reverse(parts);
        } else {
            int at = 0;
            for (int found = text.indexOf(by); found >= 0 && parts.size() < most; found = text.indexOf(by, at)) {
                parts.add(text.substring(at, found));
                at = found + by.length();
            }
            parts.add(text.substring(at));
        }
        return counted(parts);
    }

    private int lastBefore(String by, int end) {
        return end < by.length() ? -1 : text.lastIndexOf(by, end - by.length());
    }

    private List<Object> words(int most) {
        List<Object> words = new ArrayList<>();
        int at = 0;
        while (true) {
            while (at < text.length() && Text.isSpace(text.charAt(at))) {
                at++;
            }
            if (at == text.length()) {
                return words;
            }
            if (words.size() == most) {
                words.add(Text.strip(text.substring(at), null, false, true));
                return words;
            }
            int start = at;
            while (at < text.length() && !Text.isSpace(text.charAt(at))) {
                at++;
            }
            words.add(text.substring(start, at));
        }
    }

    private List<Object> lastWords(int most) {
        List<Object> words = new ArrayList<>();
        int end = text.length();
        while (true) {
            while (end > 0 && Text.isSpace(text.charAt(end - 1))) {
                end--;
            }
            if (end == 0) {
                return words.reversed();
            }
            if (words.size() == most) {
                words.add(Text.strip(text.substring(0, end), null, true, false));
                return words.reversed();
            }
            int stop = end;
            while (end > 0 && !Text.isSpace(text.charAt(end - 1))) {
                end--;
            }
            words.add(text.substring(end, stop));
        }
    }

    private List<Object> counted(List<Object> list) {
        budget.items(list.size());
        return new ArrayList<>(list);
    }

    private String join(Arguments given) {
        Iterator<Object> items = Python.iterate(given.places("join", 1, 1)[0]);
        StringBuilder joined = new StringBuilder();
        for (boolean first = true; items.hasNext(); first = false) {
            Object item = items.next();
            joined.append(first ? "" : text).append(markup ? Markup.safe(item) : string(item, "join"));
            budget.step();
            budget.text(joined.length() / 64);
            checkLength(joined);
        }
        return budget.made(joined.toString());
    }

    private void checkLength(StringBuilder made) {
        if (made.length() > 10_000_000) {
            budget.text(made.length());
        }
    }

    private String replace(Arguments given) {
        Object[] values = given.bind("replace", 2, "old", "new", "count");
        string(values[0], "replace");
        string(values[1], "replace");
        String with = markup ? Markup.safe(values[1]) : Python.text(values[1]);
        return replace(
                text, Python.text(values[0]), with, Numbers.small(Arguments.or(values[2], -1L), "count"), budget);
    }

    /** @param most how many at most; negative for all */
    static String replace(String text, String old, String with, int most, Budget budget) {
        long times = 0;
        Budget.search(text.length(), old.length());
        long limit = most < 0 ? Long.MAX_VALUE : most;
        if (old.isEmpty()) {
            times = Math.min(limit, Text.length(text) + 1L);
        } else {
            for (int at = text.indexOf(old); at >= 0 && times < limit; at = text.indexOf(old, at + old.length())) {
                times++;
            }
        }
        budget.text(text.length() + times * with.length());
        if (times == 0) {
            return text;
        }
        StringBuilder replaced = new StringBuilder();
        int at = 0;
        for (long i = 0; i < times; i++) {
            if (old.isEmpty()) {
                replaced.append(with);
                int next = at < text.length() ? at + Character.charCount(text.codePointAt(at)) : at;
                replaced.append(text, at, next);
                at = next;
            } else {
                int found = text.indexOf(old, at);
                replaced.append(text, at, found).append(with);
                at = found + old.length();
            }
        }
        return replaced.append(text, at, text.length()).toString();
    }

    private Object find(String name, Arguments given) {
        Object[] values = given.places(name, 1, 3);
        String wanted = string(values[0], name);
        Budget.search(text.length(), wanted.length());
        int length = Text.length(text);
        int[] window = Sequences.window(values[1], values[2], length);
        boolean beyond =
                values[1] != Arguments.ABSENT && values[1] != null && Numbers.small(values[1], "a place") > length;
        int found = -1;
        if (window[0] <= window[1] && !beyond) {
            String within = Text.sub(text, window[0], window[1]);
            int index = name.startsWith("r") ? within.lastIndexOf(wanted) : within.indexOf(wanted);
            found = index < 0 ? -1 : window[0] + Text.places(within, index);
        }
        if (found < 0 && name.endsWith("index")) {
            throw new TemplateFailure("asks for the place of what is not in the text");
        }
        return (long) found;
    }

    private Object count(Arguments given) {
        Object[] values = given.places("count", 1, 3);
        String wanted = string(values[0], "count");
        Budget.search(text.length(), wanted.length());
        int length = Text.length(text);
        int[] window = Sequences.window(values[1], values[2], length);
        if (window[0] > window[1] || values[1] instanceof Long from && from > length) {
            return 0L;
        }
        String within = Text.sub(text, window[0], window[1]);
        if (wanted.isEmpty()) {
            return Text.length(within) + 1L;
        }
        long times = 0;
        for (int at = within.indexOf(wanted); at >= 0; at = within.indexOf(wanted, at + wanted.length())) {
            times++;
        }
        return times;
    }

    private Object partition(String name, Arguments given) {
        String by = string(given.places(name, 1, 1)[0], name);
        if (by.isEmpty()) {
            throw new TemplateFailure("splits a text at an empty separator");
        }
        Budget.search(text.length(), by.length());
        boolean right = name.startsWith("r");
        int found = right ? text.lastIndexOf(by) : text.indexOf(by);
        if (found < 0) {
            return right ? Tuple.of("", "", text) : Tuple.of(text, "", "");
        }
        return Tuple.of(text.substring(0, found), by, text.substring(found + by.length()));
    }

    private String justify(String name, Arguments given) {
        Object[] values = given.places(name, 1, 2);
        String fill = values[1] == Arguments.ABSENT ? " " : string(values[1], name);
        if (Text.length(fill) != 1) {
            throw new TemplateFailure("fills up a text with what is not one character");
        }
        int width = Numbers.small(values[0], "a width");
        return switch (name) {
            case "ljust" -> text + fill.repeat(missing(width));
            case "rjust" -> fill.repeat(missing(width)) + text;
            default -> center(text, width, fill, budget);
        };
    }

    private int missing(int width) {
        budget.text(width);
        return Math.max(0, width - Text.length(text));
    }

    static String center(String text, int width, String fill, Budget budget) {
        budget.text(width);
        int missing = Math.max(0, width - Text.length(text));
        // Python puts the odd one on the left where the width is odd.
        int left = missing / 2 + (missing & width & 1);
        return fill.repeat(left) + text + fill.repeat(missing - left);
    }

    private String zeros(int width) {
        int missing = missing(width);
        boolean signed = text.startsWith("-") || text.startsWith("+");
        return signed ? text.charAt(0) + "0".repeat(missing) + text.substring(1) : "0".repeat(missing) + text;
    }

    private String tabs(int size) {
        budget.text((long) Math.max(0, size)
                        * (1 + text.chars().filter(c -> c == '\t').count())
                + text.length());
        StringBuilder expanded = new StringBuilder();
        int column = 0;
        for (int c : text.codePoints().toArray()) {
            if (c == '\t') {
                int blanks = size > 0 ? size - column % size : 0;
                expanded.repeat(' ', blanks);
                column += blanks;
            } else {
                expanded.appendCodePoint(c);
                column = c == '\n' || c == '\r' ? 0 : column + 1;
            }
        }
        return expanded.toString();
    }
}
