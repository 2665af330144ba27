package org.calm4j.engine.ranks;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;

/**
 * The functions of an MPI library, whichever it is. Every argument goes as 64 bits: an int, or a handle that is an int, is the lower half of
 * its register. All calls are made by one thread, as MPI_THREAD_FUNNELED wants.
 */
@SuppressWarnings("restricted")
final class Mpi {
    private static final int LONGEST_TEXT = 8192;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final Arena arena = Arena.ofShared();
    private final SymbolLookup library;
    private final String file;
    private final Abi abi;
    private final MemorySegment number = arena.allocate(LONG);
    private final MemorySegment done = arena.allocate(LONG);
    private final Deque<MemorySegment> freeRequests = new ArrayDeque<>();
    private final MethodHandle send;
    private final MethodHandle receive;
    private final MethodHandle test;
    private long local;

    private Mpi(String file, SymbolLookup library) {
        this.file = file;
        this.library = library;
        abi = askAbi();
        send = function("MPI_Isend", 7);
        receive = function("MPI_Irecv", 7);
        test = function("MPI_Test", 3);
    }

    /**
     * Loads the first library that is there.
     *
     * @throws CalmException failed: none is
     */
    static Mpi load(List<String> files, String launcher) {
        for (String file : files) {
            try {
                return new Mpi(file, SymbolLookup.libraryLookup(file, Arena.global()));
            } catch (IllegalArgumentException e) {
                // It is not there; the next one may be.
            }
        }
        throw CalmException.failed(
                launcher + " started this, and no MPI library was found (" + String.join(", ", files)
                        + "); install the launcher's, add its folder to LD_LIBRARY_PATH, or set CALM_MPI to its file",
                null);
    }

    /** Whose numbers it has. */
    Abi abi() {
        return abi;
    }

    private Abi askAbi() {
        if (library.find("MPI_Abi_get_version").isPresent()) {
            MemorySegment minor = arena.allocate(LONG);
            // An MPICH of before the standard knows the function and answers -1.
            if (call("MPI_Abi_get_version", number.address(), minor.address()) == 0
                    && number.get(ValueLayout.JAVA_INT, 0) > 0) {
                return Abi.standard();
            }
        }
        return library.find("ompi_mpi_comm_self").isPresent() ? Abi.openMpi(library) : Abi.mpich();
    }

    private MethodHandle function(String name, int arguments) {
        MemorySegment address = library.find(name)
                .orElseThrow(() -> CalmException.failed(file + " is not an MPI library: it has no " + name, null));
        MemoryLayout[] layouts = Stream.generate(() -> LONG).limit(arguments).toArray(MemoryLayout[]::new);
        return Linker.nativeLinker()
                .downcallHandle(address, FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts))
                .asSpreader(long[].class, arguments);
    }

    private int call(String name, long... arguments) {
        return call(function(name, arguments.length), arguments);
    }

    private static int call(MethodHandle function, long... arguments) {
        try {
            return (int) function.invokeExact(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private void check(String name, int code) {
        if (code != 0) {
            throw CalmException.failed("MPI: " + name + " failed: " + error(code), null);
        }
    }

    private String error(int code) {
        try (Arena texts = Arena.ofConfined()) {
            MemorySegment text = texts.allocate(LONGEST_TEXT);
            return call("MPI_Error_string", code, text.address(), number.address()) == 0
                    ? text.getString(0)
                    : "error " + code;
        }
    }

    private void run(String name, long... arguments) {
        check(name, call(name, arguments));
    }

    private int number(String name, long communicator) {
        run(name, communicator, number.address());
        return number.get(ValueLayout.JAVA_INT, 0);
    }

    /** Joins the others; errors are codes from here on. */
    void begin() {
        run("MPI_Init_thread", 0, 0, abi.funneled(), number.address());
        run("MPI_Comm_set_errhandler", abi.world(), abi.errorsReturn());
        number.set(LONG, 0, 0);
        run("MPI_Comm_split_type", abi.world(), abi.typeShared(), 0, abi.infoNull(), number.address());
        local = number.get(LONG, 0);
        number.set(LONG, 0, 0);
    }

    int rank() {
        return number("MPI_Comm_rank", abi.world());
    }

    int size() {
        return number("MPI_Comm_size", abi.world());
    }

    int localRank() {
        return number("MPI_Comm_rank", local);
    }

    int localSize() {
        return number("MPI_Comm_size", local);
    }

    /** The machine's name. */
    String host() {
        return text("MPI_Get_processor_name");
    }

    /** The library's first words about itself, such as {@code Open MPI v4.1.4}; before {@link #begin} too. */
    String version() {
        String first = text("MPI_Get_library_version").lines().findFirst().orElse("");
        return first.split(",")[0].replaceAll("\\s+", " ").strip();
    }

    /** The ABI and the file. */
    String described() {
        return abi.name() + " (" + file + ")";
    }

    private String text(String name) {
        try (Arena texts = Arena.ofConfined()) {
            MemorySegment text = texts.allocate(LONGEST_TEXT);
            run(name, text.address(), number.address());
            return text.getString(0);
        }
    }

    /** Begins to send; {@link #isDone} tells when the bytes may change again. */
    MemorySegment send(MemorySegment bytes, int to, int tag) {
        MemorySegment request = request();
        check(
                "MPI_Isend to rank " + to,
                call(send, bytes.address(), bytes.byteSize(), abi.bytes(), to, tag, abi.world(), request.address()));
        return request;
    }

    /** @param from -1 for any rank */
    MemorySegment receive(MemorySegment bytes, int from, int tag) {
        MemorySegment request = request();
        long source = from < 0 ? abi.anySource() : from;
        check(
                "MPI_Irecv from rank " + from,
                call(
                        receive,
                        bytes.address(),
                        bytes.byteSize(),
                        abi.bytes(),
                        source,
                        tag,
                        abi.world(),
                        request.address()));
        return request;
    }

    MemorySegment barrier() {
        MemorySegment request = request();
        run("MPI_Ibarrier", abi.world(), request.address());
        return request;
    }

    MemorySegment broadcast(MemorySegment bytes, int root) {
        MemorySegment request = request();
        run("MPI_Ibcast", bytes.address(), bytes.byteSize(), abi.bytes(), root, abi.world(), request.address());
        return request;
    }

    /** Sums of doubles, in place. */
    MemorySegment sum(MemorySegment doubles) {
        return sum(doubles, doubles.byteSize() / Double.BYTES, abi.doubles());
    }

    /** Sums of floats, in place, in the library's own order: for a comparison of speed only. */
    MemorySegment sumFloats(MemorySegment floats) {
        return sum(floats, floats.byteSize() / Float.BYTES, abi.floats());
    }

    private MemorySegment sum(MemorySegment values, long count, long type) {
        MemorySegment request = request();
        run("MPI_Iallreduce", abi.inPlace(), values.address(), count, type, abi.sum(), abi.world(), request.address());
        return request;
    }

    // Zeroed, because some libraries' requests are half as wide.
    private MemorySegment request() {
        MemorySegment request = freeRequests.isEmpty() ? arena.allocate(LONG) : freeRequests.remove();
        request.set(LONG, 0, 0);
        return request;
    }

    /** Whether a request is complete; then it is nobody's any more. */
    boolean isDone(MemorySegment request) {
        check("MPI_Test", call(test, request.address(), done.address(), abi.statusIgnore()));
        boolean isDone = done.get(ValueLayout.JAVA_INT, 0) != 0;
        if (isDone) {
            freeRequests.add(request);
        }
        return isDone;
    }

    void end() {
        run("MPI_Finalize");
    }

    /** Ends all ranks. */
    void abort(int code) {
        call("MPI_Abort", abi.world(), code);
    }
}
