package org.calm4j.engine.ranks;

import java.lang.foreign.SymbolLookup;

/**
 * What MPI libraries give different numbers to. Open MPI's handles are addresses, MPICH's (and Intel's, MVAPICH's, Cray's) are ints, and the
 * standard of MPI 5.0 has numbers of its own. A handle goes as 64 bits in all of them.
 *
 * @param name of the ABI
 */
record Abi(
        String name,
        long world,
        long floats,
        long doubles,
        long bytes,
        long sum,
        long errorsReturn,
        long inPlace,
        long statusIgnore,
        long anySource,
        long funneled,
        long typeShared,
        long infoNull) {
    static Abi openMpi(SymbolLookup library) {
        return new Abi(
                "Open MPI",
                address(library, "ompi_mpi_comm_world"),
                address(library, "ompi_mpi_float"),
                address(library, "ompi_mpi_double"),
                address(library, "ompi_mpi_byte"),
                address(library, "ompi_mpi_op_sum"),
                address(library, "ompi_mpi_errors_return"),
                1,
                0,
                -1,
                1,
                0,
                address(library, "ompi_mpi_info_null"));
    }

    static Abi mpich() {
        return new Abi(
                "MPICH",
                0x44000000,
                0x4c00040a,
                0x4c00080b,
                0x4c00010d,
                0x58000003,
                0x54000001,
                -1,
                1,
                -2,
                1,
                1,
                0x1c000000);
    }

    static Abi standard() {
        return new Abi("MPI 5.0", 0x101, 0x210, 0x214, 0x247, 0x21, 0x143, 1, 0, -1, 1024, 221, 0x130);
    }

    private static long address(SymbolLookup library, String name) {
        return library.findOrThrow(name).address();
    }
}
