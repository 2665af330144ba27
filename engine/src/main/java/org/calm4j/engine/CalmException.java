package org.calm4j.engine;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;

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

    /** @param message may quote what stood in a file: it is cut and escaped as {@link Excerpt#message} says */
    public CalmException(Kind kind, String message, Throwable cause) {
        super(Excerpt.message(message), cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }

    /** Bad input: {@code where} is a file, {@code file:line} or a tensor's name. */
    public static CalmException badInput(Object where, String what) {
        return new CalmException(Kind.BAD_INPUT, where + ": " + what, null);
    }

    public static CalmException badInput(Object where, String what, Throwable cause) {
        return new CalmException(Kind.BAD_INPUT, where + ": " + what, cause);
    }

    /** Bad input: a file, or a folder that was to be listed, that cannot be read; says why in words of the user. */
    public static CalmException unreadable(Path file, IOException e) {
        String why =
                switch (e) {
                    case NoSuchFileException missing -> "no such file";
                    case AccessDeniedException denied -> "may not be read; look at its permissions";
                    case NotDirectoryException other -> "is not a folder";
                    case CharacterCodingException coding -> "is not UTF-8 text";
                    // Java has no exception for it: the system's words come as they are.
                    default ->
                        Files.isDirectory(file)
                                ? "is a folder, not a file"
                                : "cannot be read" + (e.getMessage() == null ? "" : ": " + Excerpt.of(e.getMessage()));
                };
        return badInput(file, why, e);
    }

    public static CalmException usage(String what) {
        return new CalmException(Kind.USAGE, what, null);
    }

    public static CalmException failed(String what, Throwable cause) {
        return new CalmException(Kind.FAILED, what, cause);
    }
}
