package org.calm4j.engine.io;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Excerpt;
import org.calm4j.engine.Setting;

/**
 * An output that this process alone writes, until it is closed. The operating system holds the lock, on a hidden file that also names the
 * it; a killed process holds nothing, and what it left is taken over.
 */
public final class OutputLock implements AutoCloseable {
    static final String SUFFIX = ".calm4j.lock";
    /** Locked byte of the file; after the text, so that others can read the text on every system. */
    private static final long LOCKED_BYTE = Long.MAX_VALUE - 1;

    private static final int MOST_PADDING = 1 << 16;
    private static final int MOST_ATTEMPTS = 100;
    private static final Path HOST = Path.of("/proc/sys/kernel/hostname");
    // Closing any channel of a file releases the process's locks on it, so that a file locked here must not be opened
    // here again.
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path output;
    private final Path file;
    private FileChannel channel;

    private OutputLock(Path output, Path file) {
        this.output = output;
        this.file = file;
    }

    /**
     * Who writes to an output.
     *
     * @param command as it was typed, shortened
     */
    public record Holder(long pid, String command) {}

    /** The process of this machine that writes to a folder; null without one. Takes and changes nothing. */
    public static Holder holderOf(Path folder) {
        OutputLock lock = new OutputLock(folder, real(AtomicFile.place(folder)).resolve(SUFFIX));
        if (HELD.contains(lock.file)) {
            return new Holder(ProcessHandle.current().pid(), command());
        }
        Map<String, String> holder =
                Files.isRegularFile(lock.file, LinkOption.NOFOLLOW_LINKS) ? lock.holder() : Map.of();
        String pid = holder.getOrDefault("pid", "");
        boolean alive = pid.matches("\\d{1,18}")
                && host().equals(holder.get("host"))
                && ProcessHandle.of(Long.parseLong(pid)).isPresent();
        return alive ? new Holder(Long.parseLong(pid), holder.getOrDefault("command", "")) : null;
    }

    /**
     * Locks a folder that exists.
     *
     * @param say receives a warning where the file system has no locks
     * @throws CalmException failed: another process writes there
     */
    public static OutputLock folder(Path folder, Consumer<String> say) {
        return new OutputLock(folder, real(AtomicFile.place(folder)).resolve(SUFFIX)).take(say);
    }

    /** The same for a file, or a folder that appears as a whole; it need not exist. */
    public static OutputLock beside(Path output, Consumer<String> say) {
        Path place = AtomicFile.place(output);
        AtomicFile.directories(place.getParent());
        return new OutputLock(output, real(place.getParent()).resolve("." + place.getFileName() + SUFFIX)).take(say);
    }

    private static Path real(Path folder) {
        try {
            return folder.toRealPath();
        } catch (IOException e) {
            return folder;
        }
    }

    private OutputLock take(Consumer<String> say) {
        if (!HELD.add(file)) {
            throw held(null);
        }
        try {
            for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
                if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)
                        && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    throw CalmException.badInput(file, "is in the way of a lock; move it away");
                }
                channel = FileChannel.open(
                        file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
                if (!lock(say)) {
                    throw held(holder());
                }
                // Its holder may have removed the file after it was opened here: then nobody else would find this lock.
                if (isInPlace()) {
                    return this;
                }
                channel.close();
            }
            throw CalmException.failed(file + ": the lock keeps changing hands; try again", null);
        } catch (AccessDeniedException e) {
            release();
            throw CalmException.badInput(
                            output,
                            "cannot be written to; choose another ",
                            Setting.OUTPUT,
                            " or change the permissions")
                    .because(e);
        } catch (IOException e) {
            release();
            throw CalmException.failed(file + ": cannot be locked (" + e.getMessage() + ")", e);
        } catch (CalmException e) {
            release();
            throw e;
        }
    }

    /** Whether the lock is ours; where the file system has no locks, a living process named in the file counts as the holder. */
    private boolean lock(Consumer<String> say) {
        try {
            FileLock lock = channel.tryLock(LOCKED_BYTE, 1, false);
            return lock != null;
        } catch (IOException e) {
            Map<String, String> holder = holder();
            long pid = holder.getOrDefault("pid", "").matches("\\d{1,18}") ? Long.parseLong(holder.get("pid")) : -1;
            boolean alive = host().equals(holder.get("host"))
                    && pid != ProcessHandle.current().pid()
                    && ProcessHandle.of(pid).isPresent();
            if (!alive) {
                say.accept("calm: this file system has no locks, so another process that writes to " + output
                        + " may go unnoticed");
            }
            return !alive;
        }
    }

    /** Writes the holder's name into a file of random length: another file of that name has another length. */
    private boolean isInPlace() throws IOException {
        Map<String, Object> about = new LinkedHashMap<>();
        about.put("pid", ProcessHandle.current().pid());
        about.put("host", host());
        about.put("since", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        about.put("command", command());
        String text = Json.compact(about) + "\n"
                + " ".repeat(ThreadLocalRandom.current().nextInt(MOST_PADDING));
        channel.truncate(0);
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        return Files.exists(file, LinkOption.NOFOLLOW_LINKS) && Files.size(file) == channel.size();
    }

    private static String command() {
        String command = System.getProperty("sun.java.command", "").strip();
        int space = command.indexOf(' ');
        return Excerpt.of("calm" + (space < 0 ? "" : command.substring(space)));
    }

    private static String host() {
        try {
            return Files.isReadable(HOST)
                    ? Files.readString(HOST).strip()
                    : System.getenv().getOrDefault("COMPUTERNAME", "this machine");
        } catch (IOException e) {
            return "this machine";
        }
    }

    private Map<String, String> holder() {
        Map<String, String> holder = new LinkedHashMap<>();
        try {
            JsonNode about = Json.mapper().readTree(Files.readString(file).strip());
            about.properties()
                    .forEach(field -> holder.put(
                            field.getKey(), Excerpt.of(field.getValue().asText())));
        } catch (IOException e) {
            // It is just being taken or released.
        }
        return holder;
    }

    /** @param holder null for this process */
    private CalmException held(Map<String, String> holder) {
        String who = holder == null
                ? "this process"
                : holder.containsKey("pid")
                        ? "process " + holder.get("pid") + " on " + holder.get("host") + " since " + holder.get("since")
                                + " (" + holder.get("command") + ")"
                        : "another process";
        return new CalmException(
                CalmException.Kind.FAILED,
                output + ": " + who + " is writing there; wait for it, or choose another place",
                null);
    }

    private void release() {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                // The end of the process releases it.
            }
        }
        HELD.remove(file);
    }

    @Override
    public void close() {
        if (!channel.isOpen()) {
            return;
        }
        try {
            // Removed while it is held, so that whoever opened it meanwhile notices.
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // The next one takes it over.
        }
        release();
    }
}
