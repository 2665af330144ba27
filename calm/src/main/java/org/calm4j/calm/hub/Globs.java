package org.calm4j.calm.hub;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Which files are wanted; patterns as in huggingface_hub: {@code *} also matches slashes, and {@code folder/} means all below it.
 *
 * @param include none means all
 */
public record Globs(List<String> include, List<String> exclude) {
    boolean wants(String file) {
        return (include.isEmpty() || include.stream().anyMatch(glob -> matches(glob, file)))
                && exclude.stream().noneMatch(glob -> matches(glob, file));
    }

    private static boolean matches(String glob, String file) {
        String whole = glob.endsWith("/") ? glob + "*" : glob;
        StringBuilder regex = new StringBuilder();
        for (int i = 0; i < whole.length(); i++) {
            char c = whole.charAt(i);
            int end = c == '[' ? whole.indexOf(']', i + 2) : -1;
            if (c == '*') {
                regex.append(".*");
            } else if (c == '?') {
                regex.append('.');
            } else if (end > 0) {
                String set = whole.substring(i + 1, end)
                        .replace("\\", "\\\\")
                        .replace("[", "\\[")
                        .replace("&&", "&\\&");
                regex.append('[')
                        .append(set.startsWith("!") ? "^" + set.substring(1) : set.startsWith("^") ? "\\" + set : set)
                        .append(']');
                i = end;
            } else {
                regex.append(Pattern.quote(String.valueOf(c)));
            }
        }
        try {
            return Pattern.compile(regex.toString(), Pattern.DOTALL)
                    .matcher(file)
                    .matches();
        } catch (java.util.regex.PatternSyntaxException e) {
            return false;
        }
    }
}
