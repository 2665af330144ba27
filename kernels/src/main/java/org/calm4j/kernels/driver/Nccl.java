package org.calm4j.kernels.driver;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import org.calm4j.engine.CalmException;

/**
 * The functions of NVIDIA's NCCL that pass bytes between GPUs; never those that add, whose bits depend on the number of ranks and on the
 * machines. The library is the user's, found at run time.
 */
@SuppressWarnings("restricted")
final class Nccl {
    /** The variable that names a file, or says {@link #NONE}. */
    private static final String VARIABLE = "CALM_NCCL";

    private static final String NONE = "none";
    private static final String LIBRARY = "libnccl.so.2";
    private static final int SUCCESS = 0;
    /** What an error that was asked for is as long as there is none yet. */
    private static final int IN_PROGRESS = 7;

    private static final int INT8 = 0;
    private static final MemoryLayout ID = MemoryLayout.structLayout(
            MemoryLayout.sequenceLayout(128, ValueLayout.JAVA_BYTE).withName("internal"));
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final AddressLayout ADDRESS = ValueLayout.ADDRESS;
    private static final long LONGEST_TEXT = 4096;

    private final SymbolLookup library;
    private final String from;
    private final MethodHandle send;
    private final MethodHandle receive;
    private final MethodHandle groupStart;
    private final MethodHandle groupEnd;
    private final MethodHandle asyncError;
    private final String version;

    private Nccl(SymbolLookup library, String from) {
        this.library = library;
        this.from = from;
        send = function("ncclSend", ADDRESS, LONG, INT, INT, ADDRESS, ADDRESS);
        receive = function("ncclRecv", ADDRESS, LONG, INT, INT, ADDRESS, ADDRESS);
        groupStart = function("ncclGroupStart");
        groupEnd = function("ncclGroupEnd");
        asyncError = function("ncclCommGetAsyncError", ADDRESS, ADDRESS);
        version = askVersion();
    }

    /**
     * Null if there is none, which {@link #absence} explains.
     *
     * @throws CalmException failed: the file that the variable names is not NCCL
     */
    static Nccl load() {
        String given = System.getenv(VARIABLE);
        if (NONE.equals(given)) {
            return null;
        }
        if (given != null) {
            try {
                return new Nccl(SymbolLookup.libraryLookup(given, Arena.global()), given);
            } catch (IllegalArgumentException e) {
                throw CalmException.failed(
                        VARIABLE + " is \"" + given + "\", which cannot be loaded; it names the file of NCCL, or is \""
                                + NONE + "\"",
                        e);
            }
        }
        try {
            return new Nccl(SymbolLookup.libraryLookup(LIBRARY, Arena.global()), "the library path");
        } catch (IllegalArgumentException e) {
            return inFolders();
        }
    }

    /** Why there is none, and what to do, after a name. */
    static String absence() {
        return NONE.equals(System.getenv(VARIABLE))
                ? "has " + VARIABLE + "=" + NONE
                : "has no " + LIBRARY + "; pip install nvidia-nccl-cu12, apt install libnccl2, or " + VARIABLE
                        + " with its file";
    }

    private static Nccl inFolders() {
        for (Path folder : CublasFolders.of(CublasLibrary::variable, Path.of("/"))) {
            Path file = folder.resolve(LIBRARY);
            if (Files.exists(file)) {
                try {
                    return new Nccl(SymbolLookup.libraryLookup(file, Arena.global()), folder.toString());
                } catch (IllegalArgumentException e) {
                    // It does not load; another may.
                }
            }
        }
        return null;
    }

    private MethodHandle function(String name, MemoryLayout... arguments) {
        MemorySegment address = library.find(name)
                .orElseThrow(() ->
                        CalmException.failed("the library from " + from + " is not NCCL: it has no " + name, null));
        return Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(INT, arguments));
    }

    /** As NVIDIA writes it, such as 2.21.5. */
    String version() {
        return version;
    }

    /** The folder or file that it was found in. */
    String from() {
        return from;
    }

    /** Coded as 2708 before 2.9, as 20900 since. */
    private String askVersion() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment code = arena.allocate(INT);
            check("ncclGetVersion", (int) function("ncclGetVersion", ADDRESS).invokeExact(code));
            int number = code.get(INT, 0);
            int major = number < 10_000 ? 1000 : 10_000;
            return number / major + "." + number % major / 100 + "." + number % 100;
        } catch (Throwable e) {
            throw known(e);
        }
    }

    /** What ranks meet by; one of them makes it. */
    byte[] uniqueId() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(ID);
            check("ncclGetUniqueId", (int) function("ncclGetUniqueId", ADDRESS).invokeExact(id));
            return id.toArray(ValueLayout.JAVA_BYTE);
        } catch (Throwable e) {
            throw known(e);
        }
    }

    /** Waits for all ranks; returns the communicator. The device's context is this thread's. */
    MemorySegment join(int size, byte[] id, int rank) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment communicator = arena.allocate(ADDRESS);
            MemorySegment value = arena.allocate(ID);
            MemorySegment.copy(id, 0, value, ValueLayout.JAVA_BYTE, 0, id.length);
            check("ncclCommInitRank", (int)
                    function("ncclCommInitRank", ADDRESS, INT, ID, INT).invokeExact(communicator, size, value, rank));
            return communicator.get(ADDRESS, 0);
        } catch (Throwable e) {
            throw known(e);
        }
    }

    /**
     * Queues both directions of an exchange, which move together.
     *
     * @param give address in the device's memory
     * @param stream the driver's handle
     */
    void exchange(
            long give, long giveBytes, long take, long takeBytes, int peer, MemorySegment communicator, long stream) {
        MemorySegment queue = MemorySegment.ofAddress(stream);
        try {
            check("ncclGroupStart", (int) groupStart.invokeExact());
            if (giveBytes > 0) {
                check("ncclSend", (int)
                        send.invokeExact(MemorySegment.ofAddress(give), giveBytes, INT8, peer, communicator, queue));
            }
            if (takeBytes > 0) {
                check("ncclRecv", (int)
                        receive.invokeExact(MemorySegment.ofAddress(take), takeBytes, INT8, peer, communicator, queue));
            }
            check("ncclGroupEnd", (int) groupEnd.invokeExact());
        } catch (Throwable e) {
            throw known(e);
        }
    }

    /** What went wrong behind the host's back, in words; null where nothing did. */
    String asyncError(MemorySegment communicator) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment error = arena.allocate(INT);
            check("ncclCommGetAsyncError", (int) asyncError.invokeExact(communicator, error));
            int found = error.get(INT, 0);
            return found == SUCCESS || found == IN_PROGRESS ? null : describe(found);
        } catch (Throwable e) {
            throw known(e);
        }
    }

    /** Ends what waits for other ranks, from any thread. */
    void abort(MemorySegment communicator) {
        try {
            check("ncclCommAbort", (int) function("ncclCommAbort", ADDRESS).invokeExact(communicator));
        } catch (Throwable e) {
            throw known(e);
        }
    }

    private void check(String name, int result) {
        if (result != SUCCESS) {
            String why = describe(result);
            // Newer versions say so themselves.
            String more = why.contains("NCCL_DEBUG") ? "" : "; NCCL_DEBUG=INFO says more";
            throw CalmException.failed("NCCL: " + name + " failed: " + why + more, null);
        }
    }

    /** An error in its words, with the details that it has of the last one. */
    private String describe(int error) {
        String text = text("ncclGetErrorString", FunctionDescriptor.of(ADDRESS, INT), error);
        // Since 2.13.
        String detail = library.find("ncclGetLastError").isEmpty()
                ? ""
                : text("ncclGetLastError", FunctionDescriptor.of(ADDRESS, ADDRESS), MemorySegment.NULL);
        return text
                + (detail.isBlank()
                        ? ""
                        : " (" + detail.strip().lines().toList().getLast() + ")");
    }

    private String text(String name, FunctionDescriptor type, Object argument) {
        try {
            MemorySegment text = (MemorySegment) Linker.nativeLinker()
                    .downcallHandle(library.findOrThrow(name), type)
                    .invoke(argument);
            return text.equals(MemorySegment.NULL)
                    ? ""
                    : text.reinterpret(LONGEST_TEXT).getString(0);
        } catch (Throwable e) {
            throw known(e);
        }
    }

    private static RuntimeException known(Throwable e) {
        return e instanceof RuntimeException known ? known : new IllegalStateException(e);
    }
}
