package org.calm4j.calm.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Expands {@code ~} and {@code ~user} at a path's beginning, and variables in it, as Python's expanduser and expandvars do. */
public final class Tilde {
    private static final Pattern VARIABLE = Pattern.compile("\\$(?:(\\w+)|\\{([^}]*)})");

    private Tilde() {}

    /** Replaces {@code ~} by the home; unchanged where there is no such user. */
    public static String home(String path, Map<String, String> environment) {
        if (!path.startsWith("~")) {
            return path;
        }
        int end = path.indexOf('/') < 0 ? path.length() : path.indexOf('/');
        String home = end > 1
                ? homeOf(path.substring(1, end))
                : environment.getOrDefault("HOME", System.getProperty("user.home"));
        if (home == null || home.isEmpty()) {
            return path;
        }
        return home.equals("/") && end < path.length() ? path.substring(end) : home + path.substring(end);
    }

    /** Replaces {@code ~} and every variable that is set. */
    static String expand(String path, Map<String, String> environment) {
        return VARIABLE.matcher(home(path, environment)).replaceAll(found -> {
            String name = found.group(1) != null ? found.group(1) : found.group(2);
            return Matcher.quoteReplacement(environment.getOrDefault(name, found.group()));
        });
    }

    private static String homeOf(String user) {
        try {
            List<String> users = Files.readAllLines(Path.of("/etc/passwd"));
            return users.stream()
                    .map(line -> line.split(":"))
                    .filter(fields -> fields.length > 5 && fields[0].equals(user))
                    .map(fields -> fields[5])
                    .findFirst()
                    .orElse(null);
        } catch (IOException e) {
            return null;
        }
    }
}
