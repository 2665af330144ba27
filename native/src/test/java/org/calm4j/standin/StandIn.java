package org.calm4j.standin;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The hooks of the stand-in driver that tests use. The stand-in is what {@code libcuda.so.1} is under {@code LD_LIBRARY_PATH}; on a
 * machine with a GPU and without that path the tests run on the GPU, and {@link #isPresent()} is false.
 */
@SuppressWarnings("restricted")
public final class StandIn {
    /** The order in which threads of a block, blocks of a grid and independent work go. */
    public enum Order {
        FORWARD,
        REVERSE,
        RANDOM
    }

    /** What the stand-in counts. */
    public enum Counter {
        LAUNCHES,
        GRAPH_LAUNCHES,
        COPIES,
        PRODUCTS,
        SWITCHES,
        THREADS
    }

    private static final SymbolLookup LIBRARY = find();

    private StandIn() {}

    private static SymbolLookup find() {
        try {
            SymbolLookup library = SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
            return library.find("simt_reset").isPresent() ? library : null;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    public static boolean isPresent() {
        return LIBRARY != null;
    }

    /** Whether this is the build that finds races, reads of what nobody wrote, and accesses out of bounds to the byte. */
    public static boolean isCheck() {
        return (int) call("simt_is_check", FunctionDescriptor.of(ValueLayout.JAVA_INT)) == 1;
    }

    /** Forgets the error that sticks and the reports; objects and memory stay. */
    public static void reset() {
        call("simt_reset", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT), 0);
    }

    /** Forgets everything that was created too. */
    public static void resetAll() {
        call("simt_reset", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT), 1);
    }

    /** What the detectors reported since the last reset, a line each. */
    public static String report() {
        return text("simt_report");
    }

    /** What is alive, or was when its context ended, such as {@code 2 device allocations (4096 bytes), 1 modules}; empty where nothing is. */
    public static String live() {
        return text("simt_live");
    }

    public static void order(Order order, long seed) {
        call(
                "simt_order",
                FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG),
                order.ordinal(),
                seed);
    }

    public static Order order() {
        return Order.values()[(int) call("simt_current_order", FunctionDescriptor.of(ValueLayout.JAVA_INT))];
    }

    /** Bytes that the device has. */
    public static void memory(long bytes) {
        call("simt_memory", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG), bytes);
    }

    /** @param driver such as 12060 for CUDA 12.6 */
    public static void device(int major, int minor, int driver) {
        call(
                "simt_device",
                FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT),
                major,
                minor,
                driver);
    }

    /** How many devices the machine has. */
    public static void devices(int count) {
        call("simt_devices", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT), count);
    }

    /** As if the process of a rank had gone, for communicators of NCCL that are there now. */
    public static void loseRank(int rank) {
        nccl("simt_nccl_lose", ValueLayout.JAVA_INT, rank);
    }

    /** How long NCCL waits for the other side of a transfer, unless it is told to give up. */
    public static void ncclSeconds(double most) {
        nccl("simt_nccl_seconds", ValueLayout.JAVA_DOUBLE, most);
    }

    private static void nccl(String name, ValueLayout type, Object argument) {
        SymbolLookup library = SymbolLookup.libraryLookup("libnccl.so.2", Arena.global());
        try {
            Linker.nativeLinker()
                    .downcallHandle(library.findOrThrow(name), FunctionDescriptor.ofVoid(type))
                    .invokeWithArguments(argument);
        } catch (Throwable t) {
            throw new AssertionError("the stand-in's " + name, t);
        }
    }

    public static long count(Counter counter) {
        return (long) call(
                "simt_counter", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT), counter.ordinal());
    }

    private static String text(String name) {
        MemorySegment text = (MemorySegment) call(name, FunctionDescriptor.of(ValueLayout.ADDRESS));
        return text.reinterpret(Long.MAX_VALUE).getString(0);
    }

    private static Object call(String name, FunctionDescriptor descriptor, Object... arguments) {
        try {
            MethodHandle handle =
                    Linker.nativeLinker().downcallHandle(LIBRARY.find(name).orElseThrow(), descriptor);
            return handle.invokeWithArguments(arguments);
        } catch (Throwable t) {
            throw new AssertionError("the stand-in's " + name, t);
        }
    }
}
