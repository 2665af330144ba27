package org.calm4j.engine.io;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;

/**
 * A folder that this process alone writes to, until it is closed. What it wrote is remembered by content, in the hidden file
 * {@code .calm4j}: only that may be replaced or deleted later. Everything else belongs to the user, whatever its name.
 */
public final class OutputFolder implements AutoCloseable {
    static final String RECORD = ".calm4j";
    /** In place of a digest: a file that is appended to. */
    private static final String GROWS = "grows";
    /** In place of a digest, before the size: a large file of a folder that appeared as a whole. */
    private static final String BYTES = "bytes:";
    /** Up to this size a file of a folder that appeared as a whole is compared by content, beyond it by size alone. */
    private static final long DIGESTED_BYTES = 1 << 20;

    private static final Map<Path, OutputFolder> OPEN = new ConcurrentHashMap<>();

    private final Path place;
    private final OutputLock lock;
    private final boolean made;
    private final boolean hasRecord;
    /** For each name what may be there: while a file is replaced, also the old one. */
    private final Map<String, Set<String>> own = new TreeMap<>();

    private OutputFolder(Path place, OutputLock lock, boolean made) {
        this.place = place;
        this.lock = lock;
        this.made = made;
        Path record = place.resolve(RECORD);
        hasRecord = Files.exists(record, LinkOption.NOFOLLOW_LINKS);
        if (hasRecord) {
            read(record);
        }
    }

    /**
     * Makes a folder where there is none, and locks it.
     *
     * @param say receives a warning where the file system has no locks
     * @throws CalmException failed: another process writes there; bad input: it cannot be written to
     */
    public static OutputFolder open(Path folder, Consumer<String> say) {
        Path place = AtomicFile.place(folder);
        if (Files.exists(place) && !Files.isDirectory(place)) {
            throw CalmException.badInput(folder, "exists and is not a folder; choose another place");
        }
        boolean made = !Files.exists(place);
        AtomicFile.directories(place);
        OutputLock lock = OutputLock.folder(folder, say);
        try {
            OutputFolder opened = new OutputFolder(place.toRealPath(), lock, made);
            OPEN.put(opened.place, opened);
            return opened;
        } catch (IOException e) {
            lock.close();
            throw CalmException.unreadable(folder, e);
        } catch (RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    /** What is in a folder that may not be there, without a lock and without any change. */
    public static OutputFolder look(Path folder) {
        Path place = AtomicFile.place(folder);
        if (Files.exists(place) && !Files.isDirectory(place)) {
            throw CalmException.badInput(folder, "exists and is not a folder; choose another place");
        }
        try {
            return new OutputFolder(
                    Files.exists(place)
                            ? place.toRealPath()
                            : place.toAbsolutePath().normalize(),
                    null,
                    false);
        } catch (IOException e) {
            throw CalmException.unreadable(folder, e);
        }
    }

    private void read(Path record) {
        if (!(Json.read(record, JsonNode.class) instanceof com.fasterxml.jackson.databind.node.ObjectNode entries)) {
            throw CalmException.badInput(record, "is not a record of what was written here; move it away");
        }
        for (Map.Entry<String, JsonNode> entry : entries.properties()) {
            own.put(
                    entry.getKey(),
                    new TreeSet<>(List.of(entry.getValue().asText().split(" "))));
        }
    }

    /** Whether the folder has a record of what was written; an earlier version of the program kept none. */
    public boolean hasRecord() {
        return hasRecord;
    }

    /** Records files and folders, recognised in another way, as written here. */
    public void adopt(Collection<Path> outputs) {
        for (Path output : outputs) {
            if (Files.isSymbolicLink(output) || !Files.exists(output)) {
                continue;
            }
            if (Files.isDirectory(output)) {
                try (Stream<Path> below = Files.walk(output)) {
                    below.filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && !isPassing(file))
                            .forEach(file -> own.put(name(file), Set.of(digest(file))));
                } catch (IOException e) {
                    throw CalmException.unreadable(output, e);
                }
            } else {
                own.put(name(output), Set.of(digest(output)));
            }
        }
        write();
    }

    /** Records a file that is appended to; its content is not remembered. */
    public void grows(Path file) {
        own.put(name(file), Set.of(GROWS));
        write();
    }

    /** The first file at or below a place that was not written here or was changed since; null without one. */
    public Path foreign(Path output) {
        if (Files.isSymbolicLink(output)) {
            return output;
        }
        if (!Files.exists(output, LinkOption.NOFOLLOW_LINKS) || isPassing(output) || isOwn(output)) {
            return null;
        }
        if (!Files.isDirectory(output)) {
            return output;
        }
        // A subfolder may have a record of its own.
        OutputFolder inner = Files.exists(output.resolve(RECORD)) ? look(output) : this;
        try (Stream<Path> below = Files.list(output)) {
            for (Path each : (Iterable<Path>) below.sorted()::iterator) {
                Path foreign = inner.foreign(each);
                if (foreign != null) {
                    return foreign;
                }
            }
            return null;
        } catch (IOException e) {
            throw CalmException.unreadable(output, e);
        }
    }

    /** @throws CalmException bad input: one of these, or something in them, exists and was not written here */
    public void refuseForeign(Collection<Path> outputs) {
        for (Path output : outputs) {
            Path foreign = foreign(output);
            if (foreign != null) {
                throw CalmException.badInput(foreign, inTheWay(foreign) + "; move it away, or choose another output");
            }
        }
    }

    /** Why a user's file stops us. */
    public static String inTheWay(Path foreign) {
        return Files.isSymbolicLink(foreign)
                ? "is a link in the way of what would be written"
                : "was not written by calm4j, or was changed since";
    }

    /** Deletes what was written here. */
    public void delete(Path output) {
        refuseForeign(List.of(output));
        try {
            AtomicFile.deleteTree(output);
        } catch (IOException e) {
            throw CalmException.badInput(
                    output, "cannot be replaced (" + e.getClass().getSimpleName() + ")", e);
        }
        forget(output);
    }

    private synchronized void forget(Path output) {
        String name = name(output);
        own.keySet().removeIf(each -> each.equals(name) || each.equals(name + "/") || each.startsWith(name + "/"));
        write();
    }

    /** Whether a folder is what was written there; nobody knows outside of open folders. */
    static boolean mayDelete(Path place) {
        OutputFolder folder = of(place);
        return folder == null || folder.foreign(place) == null;
    }

    /** Called when a folder is gone. */
    static void deleted(Path place) {
        OutputFolder folder = of(place);
        if (folder != null) {
            folder.forget(place);
        }
    }

    private boolean isOwn(Path output) {
        Set<String> digests =
                own.get(Files.isDirectory(output, LinkOption.NOFOLLOW_LINKS) ? name(output) + "/" : name(output));
        return digests != null
                && (digests.contains(GROWS) || digests.contains(ofSize(output)) || digests.contains(digest(output)));
    }

    /** Whether a folder was written here as a whole; it may have been changed since. */
    public boolean wrote(Path whole) {
        return own.containsKey(name(whole) + "/");
    }

    private static String ofSize(Path file) {
        try {
            return BYTES + Files.size(file);
        } catch (IOException e) {
            throw CalmException.unreadable(file, e);
        }
    }

    /** The files of a folder that appeared as a whole, each of its own: who changes one is told which. */
    private void rememberFiles(Path folder, String name, boolean besideOld) {
        try (Stream<Path> below = Files.walk(folder)) {
            for (Path file : (Iterable<Path>) below.filter(Files::isRegularFile)::iterator) {
                String key = name + folder.relativize(file).toString().replace('\\', '/');
                Set<String> digests = new TreeSet<>(besideOld ? own.getOrDefault(key, Set.of()) : Set.of());
                digests.add(Files.size(file) > DIGESTED_BYTES ? ofSize(file) : digest(file));
                own.put(key, digests);
            }
        } catch (IOException e) {
            throw CalmException.unreadable(folder, e);
        }
    }

    /** Hidden files of a running or killed process; nobody else uses these names. */
    private static boolean isPassing(Path file) {
        String name = file.getFileName().toString();
        return name.equals(RECORD) || name.endsWith(OutputLock.SUFFIX) || AtomicFile.isPassing(name);
    }

    private String name(Path file) {
        Path absolute = file.toAbsolutePath().normalize();
        try {
            Path parent = absolute.getParent();
            absolute = Files.exists(parent) ? parent.toRealPath().resolve(absolute.getFileName()) : absolute;
        } catch (IOException e) {
            // Then the unresolved name will do.
        }
        return place.relativize(absolute).toString().replace('\\', '/');
    }

    /** Called before a file that was written in full takes its place. */
    static void before(Path written, Path place) {
        OutputFolder folder = of(place);
        if (folder != null && !place.getFileName().toString().equals(RECORD)) {
            folder.remember(written, place);
        }
    }

    /** Called when it has. */
    static void after(Path place) {
        OutputFolder folder = of(place);
        if (folder != null && !place.getFileName().toString().equals(RECORD)) {
            folder.settle(place);
        }
    }

    /** The innermost open one that a file is in. */
    private static OutputFolder of(Path file) {
        if (OPEN.isEmpty()) {
            return null;
        }
        Path folder = file.toAbsolutePath().normalize().getParent();
        try {
            folder = folder.toRealPath();
        } catch (IOException e) {
            // Not there: nothing is open in it.
        }
        while (folder != null && !OPEN.containsKey(folder)) {
            folder = folder.getParent();
        }
        return folder == null ? null : OPEN.get(folder);
    }

    private synchronized void remember(Path written, Path output) {
        boolean whole = Files.isDirectory(written);
        String name = name(output) + (whole ? "/" : "");
        if (own.getOrDefault(name, Set.of()).contains(GROWS) || name.startsWith(".")) {
            return;
        }
        Set<String> digests = new TreeSet<>(Files.exists(output) ? own.getOrDefault(name, Set.of()) : Set.of());
        digests.add(digest(written));
        own.put(name, digests);
        if (whole) {
            rememberFiles(written, name, Files.exists(output));
        }
        write();
    }

    private synchronized void settle(Path output) {
        String name = name(output) + (Files.isDirectory(output) ? "/" : "");
        if (own.getOrDefault(name, Set.of()).size() > 1) {
            own.put(name, Set.of(digest(output)));
            if (name.endsWith("/")) {
                own.keySet().removeIf(each -> each.startsWith(name) && !each.equals(name));
                rememberFiles(output, name, false);
            }
            write();
        }
    }

    private void write() {
        Map<String, String> record = new TreeMap<>();
        own.forEach((name, digests) -> record.put(name, String.join(" ", digests)));
        Json.write(place.resolve(RECORD), record);
    }

    private static String digest(Path output) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            if (!Files.isDirectory(output)) {
                add(digest, output);
            } else {
                try (Stream<Path> below = Files.walk(output)) {
                    for (Path file :
                            (Iterable<Path>) below.filter(Files::isRegularFile).sorted()::iterator) {
                        String line =
                                output.relativize(file).toString().replace('\\', '/') + " " + Files.size(file) + "\n";
                        digest.update(line.getBytes(StandardCharsets.UTF_8));
                        if (Files.size(file) <= DIGESTED_BYTES) {
                            add(digest, file);
                        }
                    }
                }
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        } catch (IOException e) {
            throw CalmException.unreadable(output, e);
        }
    }

    private static void add(MessageDigest digest, Path file) throws IOException {
        byte[] buffer = new byte[1 << 16];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
        }
    }

    /** Drops records of deleted files and releases the folder. */
    @Override
    public void close() {
        try {
            boolean forgotten =
                    own.keySet().removeIf(name -> !Files.exists(place.resolve(name), LinkOption.NOFOLLOW_LINKS));
            for (Map.Entry<String, Set<String>> entry : own.entrySet()) {
                if (entry.getValue().size() > 1) {
                    entry.setValue(Set.of(digest(place.resolve(entry.getKey()))));
                    forgotten = true;
                }
            }
            if (own.isEmpty()) {
                Files.deleteIfExists(place.resolve(RECORD));
            } else if (forgotten) {
                write();
            }
        } catch (IOException e) {
            // An empty record does no harm.
        } finally {
            OPEN.remove(place, this);
            lock.close();
            deleteIfEmpty();
        }
    }

    // If nothing was written, nothing is left.
    private void deleteIfEmpty() {
        try (Stream<Path> files = Files.list(place)) {
            if (made && files.findAny().isEmpty()) {
                Files.delete(place);
            }
        } catch (IOException e) {
            // An empty folder does no harm.
        }
    }
}
