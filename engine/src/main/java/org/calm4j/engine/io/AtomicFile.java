package org.calm4j.engine.io;

import java.io.BufferedOutputStream;
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
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.function.Consumer;
import org.calm4j.engine.CalmException;

/** Files and folders that appear whole or not at all: written beside, synced, renamed. */
public final class AtomicFile {
    /** Writes a file's content. */
    @FunctionalInterface
    public interface Content {
        void write(OutputStream out) throws IOException;
    }

    private AtomicFile() {
    }

    /** @throws CalmException bad input where the place cannot be written to, failed where writing fails */
    public static void write(Path file, Content content) {
        Path beside = beside(file);
        try {
            Files.createDirectories(beside.getParent());
            try (FileChannel channel = FileChannel.open(beside, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
                content.write(out);
                out.flush();
                channel.force(true);
            }
            Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException | UncheckedIOException e) {
            throw unwritable(file, e);
        } finally {
            deleteQuietly(beside);
        }
    }

    /** A folder that the consumer fills; it replaces an older one of that name. */
    public static void folder(Path folder, Consumer<Path> content) {
        Path beside = beside(folder);
        Path old = folder.resolveSibling("." + folder.getFileName() + ".old");
        try {
            deleteTree(beside);
            Files.createDirectories(beside);
            content.accept(beside);
            sync(beside);
            if (Files.exists(folder)) {
                deleteTree(old);
                Files.move(folder, old, StandardCopyOption.ATOMIC_MOVE);
            }
            Files.move(beside, folder, StandardCopyOption.ATOMIC_MOVE);
            deleteTree(old);
        } catch (IOException | UncheckedIOException e) {
            throw unwritable(folder, e);
        } finally {
            deleteQuietly(beside);
        }
    }

    /** Makes a folder for outputs, and its parents. */
    public static void directories(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw CalmException.badInput(folder, "cannot be made (" + e.getClass().getSimpleName() + "); choose another --output", e);
        }
        if (!Files.isWritable(folder)) {
            throw CalmException.badInput(folder, "cannot be written to; choose another folder or change its permissions");
        }
    }

    private static Path beside(Path file) {
        Path absolute = file.toAbsolutePath();
        return absolute.resolveSibling("." + absolute.getFileName() + ".tmp");
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

    private static void deleteTree(Path folder) throws IOException {
        if (!Files.exists(folder)) {
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
            // What went wrong before matters more than a leftover.
        }
    }

    private static CalmException unwritable(Path file, Exception e) {
        boolean place = e instanceof AccessDeniedException || e instanceof FileAlreadyExistsException
                || e instanceof DirectoryNotEmptyException;
        if (place || e instanceof FileSystemException system && system.getReason() != null
                && system.getReason().matches("(?i).*(read-only|not a directory|is a directory).*")) {
            return CalmException.badInput(file, "cannot be written here; choose another --output or change the permissions", e);
        }
        return CalmException.failed(file + ": writing failed (" + e.getMessage() + "); is the disk full?", e);
    }
}
