package org.calm4j.engine.tensor;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;

/**
 * Native memory, zeroed and 64-byte aligned unless it was mapped. Never heap-backed: one heap segment at a vector call site slows all of
 * them 3 to 5 times.
 */
public final class HostBuffer implements Buffer {
    public static final long ALIGNMENT = 64;

    /** Linux promises more memory than it has and kills the program when it is used; so check first. */
    private static final OperatingSystemMXBean SYSTEM =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    private static final long MACHINE = SYSTEM.getTotalMemorySize();
    private static final Path LINUX = Path.of("/proc/meminfo");
    private static final Pattern AMOUNT = Pattern.compile("(MemTotal|MemAvailable): *(\\d+) kB");

    /** Of all buffers of this process, without mapped files. */
    private static final AtomicLong TAKEN = new AtomicLong();

    private static final AtomicLong PEAK = new AtomicLong();

    private final Arena arena;
    private final MemorySegment segment;
    /** What is freed with it. */
    private long own;

    /** @throws CalmException failed: the machine has less memory than that */
    public HostBuffer(long bytes) {
        if (bytes > MACHINE) {
            throw CalmException.failed(
                    "%.1f GB of memory are needed at once, this machine has %.1f GB; try a smaller model or batch"
                            .formatted(bytes * 1e-9, MACHINE * 1e-9),
                    null);
        }
        arena = Arena.ofShared();
        segment = arena.allocate(Math.max(bytes, 1), ALIGNMENT);
        count(bytes);
    }

    private synchronized void count(long bytes) {
        own += bytes;
        long taken = TAKEN.addAndGet(bytes);
        PEAK.accumulateAndGet(taken, Math::max);
    }

    /** Bytes that all buffers of this process take, without mapped files. */
    public static long taken() {
        return TAKEN.get();
    }

    /** The most that were taken since the last call of {@link #resetPeak}. */
    public static long peak() {
        return PEAK.get();
    }

    public static void resetPeak() {
        PEAK.set(TAKEN.get());
    }

    /** Bytes of this machine, or of the container that this process is confined to. */
    public static long machine() {
        return MACHINE;
    }

    /** Memory that exists, such as a mapped file; the buffer closes its arena. */
    public HostBuffer(MemorySegment segment, Arena arena) {
        this.arena = arena;
        this.segment = segment;
    }

    public MemorySegment segment() {
        return segment;
    }

    /** More memory, zeroed and 64-byte aligned, freed together with this buffer. */
    public MemorySegment beside(long bytes) {
        count(bytes);
        return arena.allocate(bytes, ALIGNMENT);
    }

    /** Whether {@code bytes} may be taken for an optional cache: a quarter of the machine's memory must remain for what is needed. */
    public static boolean isPlentyFor(long bytes) {
        return available() - bytes > MACHINE / 4;
    }

    /** Free bytes. On Linux most "used" memory is file cache, which is given back; in a container nobody knows how much. */
    private static long available() {
        try {
            Map<String, Long> amounts = AMOUNT.matcher(Files.readString(LINUX))
                    .results()
                    .collect(Collectors.toMap(found -> found.group(1), found -> 1024 * Long.parseLong(found.group(2))));
            if (amounts.getOrDefault("MemTotal", 0L) == MACHINE) {
                return amounts.getOrDefault("MemAvailable", 0L);
            }
        } catch (IOException e) {
            // Not Linux.
        }
        return SYSTEM.getFreeMemorySize();
    }

    @Override
    public long bytes() {
        return segment.byteSize();
    }

    @Override
    public void read(long offset, MemorySegment to) {
        MemorySegment.copy(segment, offset, to, 0, to.byteSize());
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
            TAKEN.addAndGet(-own);
        }
    }
}
