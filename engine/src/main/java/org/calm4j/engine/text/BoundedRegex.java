package org.calm4j.engine.text;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.calm4j.engine.CalmException;

/** A regular expression from a file: Java's engine, stopped if the expression takes more steps than a usable one. */
public record BoundedRegex(Pattern pattern) implements TextPattern {
    private static final int LONGEST = 10_000;
    private static final double MOST_SILENT_WORK = 100_000;
    private static final long STEPS_PER_CHARACTER = 1000;
    /** Characters of an expression. */
    private static final int LONG_EXPRESSION = 32;

    private static final Pattern ESCAPE = Pattern.compile("\\\\(.)", Pattern.DOTALL);
    /** Oniguruma, which these files are written for, counts Latin-1's superscripts and fractions among word characters, and joiners not. */
    private static final String WORD = "[\\u00B2\\u00B3\\u00B9\\u00BC-\\u00BE[\\w&&[^\\u200C\\u200D]]]";

    private static final String NOT_WORD = "[\\u200C\\u200D[\\W&&[^\\u00B2\\u00B3\\u00B9\\u00BC-\\u00BE]]]";

    static BoundedRegex of(String regex, Part part) {
        if (regex.isEmpty() || regex.length() > LONGEST) {
            throw part.error("has a regular expression of " + regex.length() + " characters");
        }
        try {
            if (SilentWork.of(regex) > MOST_SILENT_WORK) {
                throw part.error("has the regular expression " + regex + ", which takes too many steps");
            }
            return new BoundedRegex(Pattern.compile(likeOniguruma(regex), Pattern.UNICODE_CHARACTER_CLASS));
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw part.error("is not a supported regular expression: "
                    + (e instanceof PatternSyntaxException syntax ? syntax.getDescription() : "it is broken"));
        } catch (StackOverflowError e) {
            throw part.error("has a regular expression that nests too deeply");
        }
    }

    /**
     * Whether a regular expression of Python's matches the whole text.
     *
     * @throws CalmException bad input: it is not a regular expression, or takes too many steps
     */
    public static boolean matches(String regex, String text, Object where) {
        return tried(regex, text, where, Matcher::matches);
    }

    /** Whether it matches anywhere in the text; otherwise as {@link #matches}. */
    public static boolean occurs(String regex, String text, Object where) {
        return tried(regex, text, where, Matcher::find);
    }

    private static boolean tried(String regex, String text, Object where, Predicate<Matcher> test) {
        try {
            String java = regex.replace("(?P<", "(?<")
                    .replaceAll("\\(\\?P=(\\w+)\\)", "\\\\k<$1>")
                    .replace("\\Z", "\\z");
            if (SilentWork.of(regex) > MOST_SILENT_WORK) {
                throw CalmException.badInput(where, "the regular expression \"" + regex + "\" takes too many steps");
            }
            return regex.length() <= LONGEST && test.test(Pattern.compile(java).matcher(counted(text)));
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw CalmException.badInput(
                    where,
                    "\"" + regex + "\" is not a supported regular expression: "
                            + (e instanceof PatternSyntaxException syntax ? syntax.getDescription() : "it is broken"),
                    e);
        } catch (StackOverflowError | StepsUsedUp e) {
            throw CalmException.badInput(where, "the regular expression \"" + regex + "\" takes too many steps", e);
        }
    }

    private static Counted counted(String text) {
        return new Counted(text, STEPS_PER_CHARACTER * (text.length() + 1000L));
    }

    private static String likeOniguruma(String regex) {
        return ESCAPE.matcher(regex).replaceAll(found -> {
            String escaped = found.group(1);
            return Matcher.quoteReplacement(
                    escaped.equals("w") ? WORD : escaped.equals("W") ? NOT_WORD : found.group());
        });
    }

    @Override
    public void find(String text, IntArrayList matches, Allowance allowance) {
        // A step through a long list of ranges takes longer.
        long cost = 1 + pattern.pattern().length() / LONG_EXPRESSION;
        long most = allowance.steps() / cost;
        Counted counted = new Counted(text, most);
        Matcher matcher = pattern.matcher(counted);
        try {
            while (matcher.find()) {
                matches.add(matcher.start());
                matches.add(matcher.end());
            }
        } catch (StackOverflowError | StepsUsedUp e) {
            counted.left = -1;
        }
        allowance.step((most - counted.left) * cost, pattern);
    }

    private static final class StepsUsedUp extends RuntimeException {
        private static final long serialVersionUID = 1;

        StepsUsedUp() {
            super(null, null, false, false);
        }
    }

    /** A text that counts how often it is read. */
    private static final class Counted implements CharSequence {
        private final String text;
        private long left;

        Counted(String text, long left) {
            this.text = text;
            this.left = left;
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public char charAt(int index) {
            if (--left < 0) {
                throw new StepsUsedUp();
            }
            return text.charAt(index);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.subSequence(start, end);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
