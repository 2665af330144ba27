package org.calm4j.engine.io;

import java.io.BufferedOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/** Files and folders that appear whole or not at all: written to a temporary file beside, synced, renamed. Devices and pipes are written directly. */
public final class AtomicFile {
    /** Writes a file's content. */
    @FunctionalInterface
    public interface Content {
        void write(OutputStream out) throws IOException;
    }

    /** Names of this process's open files: their targets are in use and must not be replaced. */
    private static final Pattern DESCRIPTOR = Pattern.compile("/dev/std(out|err)|/(dev|proc/self)/fd/\\d+");

    private static final int MOST_LINKS = 40;
    private static final int BUFFER = 1 << 16;
    private static final int LONG_NAME = 60;
    private static final int SHORTENED = 40;
    private static final String PASSING = ".calm4j.tmp";
    private static final String OLD = ".calm4j.old.tmp";
    /** Suffix of a file that is being written and not in its place yet. */
    static final String NEW = ".new";
    /** Suffix of a file that is appended to until it is complete. */
    public static final String PARTIAL = ".partial";

    private static final List<String> PASSING_NAMES = List.of(PASSING, OLD, ".safetensors" + NEW, PARTIAL);
    private static final String PROCESS = String.valueOf(ProcessHandle.current().pid());
    private static final Pattern PROCESS_OF = Pattern.compile("(\\d{1,18})\\.calm4j\\.(old\\.)?tmp");
    private static final Pattern LEFT = Pattern.compile("\\..+\\." + PROCESS_OF);

    private AtomicFile() {}

    /**
     * Writes a file beside its place, then moves it there. A symbolic link is followed; what is not a regular file, such as a device or pipe, is
     * written directly.
     *
     * @throws CalmException bad input where the place cannot be written to, failed where writing fails
     */
    public static void write(Path file, Content content) {
        if (isStream(file)) {
            writeThrough(file, content);
            return;
        }
        Path place = place(file);
        Path beside = beside(place);
        try {
            Files.createDirectories(beside.getParent());
            deleteLeft(place);
            try (FileChannel channel =
                    FileChannel.open(beside, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), BUFFER);
                content.write(out);
                out.flush();
                channel.force(true);
            }
            put(beside, place);
        } catch (IOException | UncheckedIOException e) {
            throw unwritable(file, e);
        } finally {
            deleteQuietly(beside);
        }
    }

    /** Whether writing there goes to a device or another process, so that nothing can be put in its place. */
    public static boolean isStream(Path file) {
        return DESCRIPTOR.matcher(file.toAbsolutePath().toString()).matches()
                || Files.exists(file) && !Files.isRegularFile(file) && !Files.isDirectory(file);
    }

    /** Resolves symbolic links; their targets may be missing, and so may folders, even those that {@code ..} leaves again. */
    public static Path place(Path file) {
        Path place = file.toAbsolutePath();
        if (!Files.exists(place.getParent() == null ? place : place.getParent())) {
            place = place.normalize();
        }
        try {
            for (int links = 0; Files.isSymbolicLink(place); links++) {
                if (links == MOST_LINKS) {
                    throw CalmException.badInput(
                            file, "is a symbolic link that leads in a circle; choose another ", Setting.OUTPUT);
                }
                place = place.resolveSibling(Files.readSymbolicLink(place));
            }
        } catch (IOException e) {
            throw unwritable(file, e);
        }
        return place;
    }

    private static void writeThrough(Path file, Content content) {
        Matcher descriptor = DESCRIPTOR.matcher(file.toAbsolutePath().toString());
        boolean known = descriptor.matches();
        boolean isOut = known && descriptor.group().matches(".*(out|/1)");
        boolean isErr = known && descriptor.group().matches(".*(err|/2)");
        // The standard streams may be redirected and shared with others; their owner sees the errors.
        try (OutputStream through = isOut
                        ? new Unclosed(System.out)
                        : isErr
                                ? new Unclosed(System.err)
                                : Files.newOutputStream(file, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
                OutputStream out = new BufferedOutputStream(through, BUFFER)) {
            content.write(out);
        } catch (IOException | UncheckedIOException e) {
            throw unwritable(file, e);
        }
    }

    /** Closing it only flushes. */
    private static final class Unclosed extends FilterOutputStream {
        Unclosed(OutputStream out) {
            super(out);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            out.write(bytes, offset, length);
        }

        @Override
        public void close() throws IOException {
            flush();
        }
    }

    /** A folder that the consumer fills; it replaces an older one of that name. A symbolic link to one is followed. */
    public static void folder(Path folder, Consumer<Path> content) {
        Path place = place(folder);
        if (Files.exists(place) && !Files.isDirectory(place)) {
            throw CalmException.badInput(folder, "exists and is not a folder; choose another place");
        }
        Path beside = beside(place);
        Path old = beside.resolveSibling(beside.getFileName().toString().replaceFirst("\\.tmp$", ".old.tmp"));
        try {
            Files.createDirectories(beside.getParent());
            deleteLeft(place);
            Files.createDirectory(beside);
            content.accept(beside);
            sync(beside);
            OutputFolder.before(beside, place);
            if (Files.exists(place)) {
                Files.move(place, old, StandardCopyOption.ATOMIC_MOVE);
            }
            Files.move(beside, place, StandardCopyOption.ATOMIC_MOVE);
            OutputFolder.after(place);
            deleteTree(old);
        } catch (IOException | UncheckedIOException e) {
            throw unwritable(folder, e);
        } finally {
            deleteQuietly(beside);
        }
    }

    /** Removes a folder that was written here, at once; one that was changed since is left. */
    public static void deleteFolder(Path folder) {
        Path place = place(folder);
        if (!Files.isDirectory(place) || !OutputFolder.mayDelete(place)) {
            return;
        }
        Path old = place.resolveSibling(hidden(place) + PROCESS + OLD);
        try {
            deleteTree(old);
            Files.move(place, old, StandardCopyOption.ATOMIC_MOVE);
            OutputFolder.deleted(place);
            deleteTree(old);
        } catch (IOException e) {
            throw CalmException.failed(folder + ": cannot be removed (" + e.getMessage() + ")", e);
        }
    }

    /** Removes what killed processes left half-written or half-deleted of folders whose names begin so. */
    public static void deleteLeft(Path parent, String prefix) {
        try (Stream<Path> files = Files.list(parent)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Matcher left = LEFT.matcher(file.getFileName().toString());
                if (left.matches()
                        && left.group().startsWith("." + prefix)
                        && ProcessHandle.of(Long.parseLong(left.group(1))).isEmpty()) {
                    deleteTree(file);
                }
            }
        } catch (IOException e) {
            throw CalmException.unreadable(parent, e);
        }
    }

    /** Makes a folder for outputs, and its parents. */
    public static void directories(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw CalmException.badInput(
                            folder,
                            "cannot be made (" + e.getClass().getSimpleName() + "); choose another ",
                            Setting.OUTPUT)
                    .because(e);
        }
        if (!Files.isWritable(folder)) {
            throw CalmException.badInput(
                    folder, "cannot be written to; choose another folder or change its permissions");
        }
    }

    // Two processes never write the same temporary file.
    private static Path beside(Path place) {
        return place.resolveSibling(hidden(place) + PROCESS + PASSING);
    }

    private static String hidden(Path place) {
        String name = place.getFileName().toString();
        // File systems limit names to 255 bytes.
        return "."
                + (name.length() > LONG_NAME
                        ? name.substring(0, SHORTENED) + Integer.toHexString(name.hashCode())
                        : name)
                + ".";
    }

    /** Moves a file that is written and synced into its place. */
    static void put(Path written, Path place) throws IOException {
        OutputFolder.before(written, place);
        Files.move(written, place, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        OutputFolder.after(place);
    }

    /** Whether a file of this name is only there while another is written. */
    static boolean isPassing(String name) {
        return name.startsWith(".") && PASSING_NAMES.stream().anyMatch(name::endsWith);
    }

    /** What killed processes left of earlier attempts to write there; not what running ones are writing. */
    private static void deleteLeft(Path place) throws IOException {
        String name = hidden(place);
        List<Path> left;
        try (Stream<Path> files = Files.list(place.getParent())) {
            left = files.filter(file -> file.getFileName().toString().startsWith(name))
                    .toList();
        }
        for (Path file : left) {
            Matcher process = PROCESS_OF.matcher(file.getFileName().toString().substring(name.length()));
            if (process.matches()
                    && (process.group(1).equals(PROCESS)
                            || ProcessHandle.of(Long.parseLong(process.group(1)))
                                    .isEmpty())) {
                deleteTree(file);
            }
        }
    }

    private static void sync(Path folder) throws IOException {
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.force(true);
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** Links are removed, never followed. */
    static void deleteTree(Path folder) throws IOException {
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private static void deleteQuietly(Path path) {
        try {
            deleteTree(path);
        } catch (IOException e) {
            // The first error matters more than a leftover.
        }
    }

    private static CalmException unwritable(Path file, Exception e) {
        boolean place = e instanceof AccessDeniedException
                || e instanceof FileAlreadyExistsException
                || e instanceof DirectoryNotEmptyException;
        if (place
                || e instanceof FileSystemException system
                        && system.getReason() != null
                        && system.getReason().matches("(?i).*(read-only|not a directory|is a directory).*")) {
            return CalmException.badInput(
                            file,
                            "cannot be written here; choose another ",
                            Setting.OUTPUT,
                            " or change the permissions")
                    .because(e);
        }
        return CalmException.failed(file + ": writing failed (" + e.getMessage() + "); is the disk full?", e);
    }
}
