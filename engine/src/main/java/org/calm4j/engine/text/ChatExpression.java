package org.calm4j.engine.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An expression of Jinja2 as Jinjava must have it to read it the same way: {@code not} binds weaker than comparisons, a named argument's
 * value is a whole expression, and {@code [::-1]} turns a sequence around.
 */
final class ChatExpression {
    static final String REVERSED = "reversed_sequence";

    private static final int LONGEST = 20_000;
    private static final int DEEPEST = 20;
    private static final int MOST_OPERATORS = 200;
    private static final Pattern STRING = Pattern.compile("'(?:[^'\\\\]|\\\\.)*+'|\"(?:[^\"\\\\]|\\\\.)*+\"", Pattern.DOTALL);
    private static final Pattern NOT = Pattern.compile("(?<![\\w.])not\\b");
    private static final Pattern NAMED = Pattern.compile("(?<![=!<>])=(?!=)");
    private static final Pattern FILTER = Pattern.compile("(?<!\\|)\\|\\s*([A-Za-z_]\\w*)");
    private static final Pattern AND_OR = Pattern.compile("(?:and|or|if|else)\\b");

    private ChatExpression() {
    }

    static String of(String expression) {
        if (expression.length() > LONGEST) {
            throw new ChatFailure("has an expression of " + expression.length() + " characters");
        }
        List<String> strings = new ArrayList<>();
        // Strings stand aside, so that nothing inside of them is taken for syntax.
        String code = STRING.matcher(expression).replaceAll(found -> {
            strings.add(found.group());
            return Matcher.quoteReplacement("\u0001" + (char) (strings.size() + 0xE000) + "\u0001");
        });
        code = wrap(wrap(code.replace("[::-1]", "|" + REVERSED), NOT, false), NAMED, true);
        checkDepth(code);
        checkNames(code, FILTER, ChatJinja.FILTERS, "filter");
        StringBuilder whole = new StringBuilder();
        int at = 0;
        for (int mark = code.indexOf('\u0001'); mark >= 0; mark = code.indexOf('\u0001', at)) {
            whole.append(code, at, mark).append(strings.get(code.charAt(mark + 1) - 0xE001));
            at = mark + 3;
        }
        return whole.append(code, at, code.length()).toString();
    }

    /** Puts what follows an operator into parentheses, up to where it ends; from the right, so that inner ones are done first. */
    private static String wrap(String code, Pattern operator, boolean named) {
        List<int[]> found = new ArrayList<>();
        Matcher matcher = operator.matcher(code);
        while (matcher.find()) {
            found.add(new int[] {matcher.start(), matcher.end()});
        }
        if (found.size() > MOST_OPERATORS) {
            throw new ChatFailure("has an expression of " + found.size() + " operators");
        }
        String wrapped = code;
        for (int[] place : found.reversed()) {
            String before = wrapped.substring(0, place[0]).stripTrailing();
            String behind = wrapped.substring(place[1]);
            boolean binary = !named && (endsInIs(before) || behind.stripLeading().matches("(?s)in\\b.*"));
            if (!binary) {
                int end = end(behind, named);
                wrapped = wrapped.substring(0, place[1]) + (named ? "(" : " (") + behind.substring(0, end).strip() + ") "
                        + behind.substring(end);
            }
        }
        return wrapped;
    }

    /** Jinjava takes the value of what it does not know for nothing. */
    private static void checkNames(String code, Pattern use, Set<String> known, String kind) {
        Matcher matcher = use.matcher(code);
        while (matcher.find()) {
            if (!known.contains(matcher.group(1))) {
                throw new ChatFailure("uses the " + kind + " \"" + matcher.group(1) + "\", which is not known here");
            }
        }
    }

    /** Jinjava's parser takes ever longer with every level. */
    private static void checkDepth(String code) {
        int depth = 0;
        for (int i = 0; i < code.length(); i++) {
            depth += "([{".indexOf(code.charAt(i)) >= 0 ? 1 : ")]}".indexOf(code.charAt(i)) >= 0 ? -1 : 0;
            if (depth > DEEPEST) {
                throw new ChatFailure("has an expression that nests deeper than " + DEEPEST);
            }
        }
    }

    private static boolean endsInIs(String code) {
        return code.endsWith("is") && (code.length() == 2 || !Character.isJavaIdentifierPart(code.charAt(code.length() - 3)));
    }

    private static int end(String code, boolean named) {
        int depth = 0;
        for (int i = 0; i < code.length(); i++) {
            char c = code.charAt(i);
            if (c == '(' || c == '[' || c == '{') {
                depth++;
            } else if (c == ')' || c == ']' || c == '}') {
                if (--depth < 0) {
                    return i;
                }
            } else if (depth == 0 && c == ',') {
                return i;
            } else if (depth == 0 && !named && Character.isLetter(c) && (i == 0 || !Character.isJavaIdentifierPart(code.charAt(i - 1)))
                    && AND_OR.matcher(code).region(i, code.length()).lookingAt()) {
                return i;
            }
        }
        return code.length();
    }
}
