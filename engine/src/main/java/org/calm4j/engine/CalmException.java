package org.calm4j.engine;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What went wrong, where, and what to do about it; the one exception that reaches the user as a message and an exit code.
 *
 * <p>The message is one to three lines without a stack trace: what is wrong, where (file, line or tensor), the remedy.
 */
public final class CalmException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Who has to act, and with it the exit code of the program. */
    public enum Kind {
        /** It failed while running: exit code 1. */
        FAILED(1),
        /** Wrong usage of a command: exit code 2. */
        USAGE(2),
        /** Bad input (data, model, config): exit code 3. */
        BAD_INPUT(3);

        private final int exitCode;

        Kind(int exitCode) {
            this.exitCode = exitCode;
        }

        public int exitCode() {
            return exitCode;
        }
    }

    private final Kind kind;
    /** Text and {@link Setting}s, in order. */
    private final transient List<Object> words;

    /** @param message may quote a file's content: it is cut and escaped as {@link Excerpt#message} says */
    public CalmException(Kind kind, String message, Throwable cause) {
        this(kind, List.of(message), cause);
    }

    private CalmException(Kind kind, List<Object> words, Throwable cause) {
        super(text(words, Setting::toString), cause);
        this.kind = kind;
        this.words = words;
    }

    private static String text(List<Object> words, Function<Setting, String> names) {
        return Excerpt.message(words.stream()
                .map(word -> word instanceof Setting setting ? names.apply(setting) : String.valueOf(word))
                .collect(Collectors.joining()));
    }

    public Kind kind() {
        return kind;
    }

    /** The setting that the message begins with, which it is about; null if it begins with something else. */
    public Setting subject() {
        return words.getFirst() instanceof Setting setting ? setting : null;
    }

    /** The message for somebody who knows settings by other names, such as {@link Setting#flag}. */
    public String message(Function<Setting, String> names) {
        return text(words, names);
    }

    /** The same, in a section of a file: its settings are there, and without any it begins with the section. */
    public CalmException in(String section) {
        if (words.stream().noneMatch(Setting.class::isInstance)) {
            return within(section + ": ");
        }
        List<Object> all = words.stream()
                .map(word -> word instanceof Setting setting ? setting.in(section) : word)
                .toList();
        return new CalmException(kind, all, getCause());
    }

    /** The same with words before and after it. */
    public CalmException within(String before, Object... after) {
        List<Object> all = new ArrayList<>(words);
        all.addFirst(before);
        all.addAll(List.of(after));
        return new CalmException(kind, all, getCause());
    }

    public CalmException because(Throwable cause) {
        return new CalmException(kind, words, cause);
    }

    /** The same, where somebody else has to act. */
    public CalmException as(Kind other) {
        return new CalmException(other, words, getCause());
    }

    /**
     * Bad input.
     *
     * @param where a file, {@code file:line} or a tensor's name
     * @param words text, and the {@link Setting}s that it names
     */
    public static CalmException badInput(Object where, Object... words) {
        return new CalmException(Kind.BAD_INPUT, List.of(words), null).within(where + ": ");
    }

    public static CalmException badInput(Object where, String what, Throwable cause) {
        return new CalmException(Kind.BAD_INPUT, where + ": " + what, cause);
    }

    /** Bad input: a file, or a folder, that cannot be read; says why in the user's terms. */
    public static CalmException unreadable(Path file, IOException e) {
        String why =
                switch (e) {
                    case NoSuchFileException missing -> "no such file";
                    case AccessDeniedException denied -> "may not be read; look at its permissions";
                    case NotDirectoryException other -> "is not a folder";
                    case CharacterCodingException coding -> "is not UTF-8 text";
                    // Java has no exception type for it: the system's words are passed on.
                    default ->
                        Files.isDirectory(file)
                                ? "is a folder, not a file"
                                : "cannot be read" + (e.getMessage() == null ? "" : ": " + Excerpt.of(e.getMessage()));
                };
        return badInput(file, why, e);
    }

    /** @param words text, and the {@link Setting}s that it names */
    public static CalmException usage(Object... words) {
        return new CalmException(Kind.USAGE, List.of(words), null);
    }

    public static CalmException failed(String what, Throwable cause) {
        return new CalmException(Kind.FAILED, what, cause);
    }

    /** @param words text, and the {@link Setting}s that it names */
    public static CalmException failed(Object... words) {
        return new CalmException(Kind.FAILED, List.of(words), null);
    }
}
