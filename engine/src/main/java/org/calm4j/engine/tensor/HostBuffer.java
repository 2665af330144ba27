package org.calm4j.engine.tensor;

import com.sun.management.OperatingSystemMXBean;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import org.calm4j.engine.CalmException;

/**
 * Native memory, zeroed and 64-byte aligned unless it was mapped. Never heap-backed: one heap segment at a vector call site slows all of
 * them 3 to 5 times.
 */
public final class HostBuffer implements Buffer {
    public static final long ALIGNMENT = 64;

    /** Linux promises more memory than there is, and ends the program when it is used. */
    private static final long MACHINE = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();

    private final Arena arena;
    private final MemorySegment segment;

    /** @throws CalmException failed: more than this machine has */
    public HostBuffer(long bytes) {
        if (bytes > MACHINE) {
            throw CalmException.failed("%.1f GB of memory are needed at once, this machine has %.1f GB; try a smaller model or batch"
                    .formatted(bytes * 1e-9, MACHINE * 1e-9), null);
        }
        arena = Arena.ofShared();
        segment = arena.allocate(Math.max(bytes, 1), ALIGNMENT);
    }

    /** Memory that exists, such as a mapped file; the buffer closes its arena. */
    public HostBuffer(MemorySegment segment, Arena arena) {
        this.arena = arena;
        this.segment = segment;
    }

    public MemorySegment segment() {
        return segment;
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
        }
    }
}
