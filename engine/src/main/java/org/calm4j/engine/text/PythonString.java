package org.calm4j.engine.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Python's methods of strings, those that templates use. */
final class PythonString {
    private PythonString() {
    }

    static Object call(String text, String name, Object[] arguments) {
        return switch (name) {
            case "strip" -> strip(text, characters(arguments), true, true);
            case "lstrip" -> strip(text, characters(arguments), true, false);
            case "rstrip" -> strip(text, characters(arguments), false, true);
            case "startswith" -> text.startsWith(string(name, arguments, 0));
            case "endswith" -> text.endsWith(string(name, arguments, 0));
            case "split" -> arguments.length == 0 || arguments[0] == null ? words(text)
                    : split(text, string(name, arguments, 0), most(arguments));
            case "replace" -> replace(text, string(name, arguments, 0), string(name, arguments, 1));
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "capitalize" -> text.isEmpty() ? text : text.substring(0, 1).toUpperCase(Locale.ROOT)
                    + text.substring(1).toLowerCase(Locale.ROOT);
            case "find" -> (long) text.indexOf(string(name, arguments, 0));
            case "count" -> (long) split(text, string(name, arguments, 0), Integer.MAX_VALUE).size() - 1;
            case "splitlines" -> text.lines().toList();
            case "isdigit" -> !text.isEmpty() && text.chars().allMatch(Character::isDigit);
            default -> throw new ChatFailure("has a call of " + name + ", which a string does not have here");
        };
    }

    private static String string(String name, Object[] arguments, int index) {
        if (index >= arguments.length || !(arguments[index] instanceof String text)) {
            throw new ChatFailure("calls " + name + " without a string");
        }
        return text;
    }

    /** Null for blanks. */
    private static String characters(Object[] arguments) {
        return arguments.length == 0 || arguments[0] == null ? null : arguments[0].toString();
    }

    private static int most(Object[] arguments) {
        return arguments.length > 1 && arguments[1] instanceof Number number && number.intValue() >= 0 ? number.intValue()
                : Integer.MAX_VALUE;
    }

    private static String strip(String text, String characters, boolean left, boolean right) {
        int from = 0;
        int to = text.length();
        while (left && from < to && strips(text.charAt(from), characters)) {
            from++;
        }
        while (right && to > from && strips(text.charAt(to - 1), characters)) {
            to--;
        }
        return text.substring(from, to);
    }

    /** Python counts the four information separators as blanks. */
    private static boolean strips(char c, String characters) {
        return characters == null ? CharacterClass.isSpace(c) || c >= 0x1C && c <= 0x1F : characters.indexOf(c) >= 0;
    }

    private static List<String> words(String text) {
        return Arrays.stream(strip(text, null, true, true)
                .split("[\\s\u001C-\u001F\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+"))
                .filter(word -> !word.isEmpty()).toList();
    }

    private static List<String> split(String text, String separator, int most) {
        if (separator.isEmpty()) {
            throw new ChatFailure("splits at an empty separator");
        }
        List<String> parts = new ArrayList<>();
        int at = 0;
        for (int found = text.indexOf(separator); found >= 0 && parts.size() < most; found = text.indexOf(separator, at)) {
            parts.add(text.substring(at, found));
            at = found + separator.length();
        }
        parts.add(text.substring(at));
        return parts;
    }

    static String replace(String text, String old, String with) {
        long times = old.isEmpty() ? text.length() + 1 : split(text, old, Integer.MAX_VALUE).size() - 1L;
        if (text.length() + times * with.length() > ChatJinja.MOST_CHARACTERS) {
            throw new ChatFailure("makes too large a value");
        }
        return text.replace(old, with);
    }
}
