package org.calm4j.engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Text in Java sources that names a flag of the command line; below the commands a message names a {@link Setting} instead. */
public final class FlagsInSources {
    private static final Pattern FLAG = Pattern.compile("\"[^\"]*--[a-z][^\"]*\"");
    private static final Pattern COMMENT = Pattern.compile("\\s*(\\*|//|/\\*).*");

    private FlagsInSources() {}

    /**
     * Each as {@code File.java:line: "text"}.
     *
     * @param except the folder of the commands; null for none
     * @param others texts that are flags of other programs
     */
    public static List<String> below(Path sources, Path except, String... others) throws IOException {
        List<String> found = new ArrayList<>();
        try (Stream<Path> files = Files.walk(sources)) {
            for (Path file : files.filter(file -> file.toString().endsWith(".java"))
                    .filter(file -> except == null || !file.startsWith(except))
                    .sorted()
                    .toList()) {
                List<String> lines = Files.readAllLines(file);
                for (int i = 0; i < lines.size(); i++) {
                    if (COMMENT.matcher(lines.get(i)).matches()) {
                        continue;
                    }
                    for (String text : FLAG.matcher(lines.get(i))
                            .results()
                            .map(match -> match.group())
                            .filter(text -> !List.of(others).contains(text))
                            .toList()) {
                        found.add(file.getFileName() + ":" + (i + 1) + ": " + text);
                    }
                }
            }
        }
        return found;
    }
}
