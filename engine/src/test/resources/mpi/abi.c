/*
 * A library with the ABI of MPI 5.0 (the forum's mpi.h), of the functions that calm4j calls, on top of the library that UNDERLYING_MPI names:
 * Open MPI or MPICH. A handle that the standard does not have ends the process.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef intptr_t any;

static void *library(void) {
    static void *handle;
    if (!handle) {
        const char *file = getenv("UNDERLYING_MPI");
        handle = dlopen(file, RTLD_NOW | RTLD_GLOBAL);
        if (!handle) {
            fprintf(stderr, "abi.c: %s\n", dlerror());
            _Exit(70);
        }
    }
    return handle;
}

static void *symbol(const char *name) {
    void *found = dlsym(library(), name);
    if (!found) {
        fprintf(stderr, "abi.c: no %s\n", name);
        _Exit(71);
    }
    return found;
}

static int mpich(void) {
    return !dlsym(library(), "ompi_mpi_comm_self");
}

/* Predefined handles: the standard's, Open MPI's symbol, MPICH's int. */
static const struct {
    any standard;
    const char *open_mpi;
    int mpich;
} handles[] = {
    {0x101, "ompi_mpi_comm_world", 0x44000000}, {0x130, "ompi_mpi_info_null", 0x1c000000}, {0x143, "ompi_mpi_errors_return", 0x54000001},
    {0x210, "ompi_mpi_float", 0x4c00040a},      {0x214, "ompi_mpi_double", 0x4c00080b},    {0x247, "ompi_mpi_byte", 0x4c00010d},
    {0x21, "ompi_mpi_op_sum", 0x58000003},
};

static any of(any standard) {
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        if (handles[i].standard == standard) {
            return mpich() ? handles[i].mpich : (any) symbol(handles[i].open_mpi);
        }
    }
    fprintf(stderr, "abi.c: the standard has no such handle here: %#lx\n", (long) standard);
    _Exit(72);
}

/* Communicators that were made are the library's own. */
static any communicator(any standard) {
    return standard >= 0 && standard < 0x1000 ? of(standard) : standard;
}

static any only(any standard, any expected, any open_mpi, any mpichs) {
    if (standard != expected) {
        fprintf(stderr, "abi.c: %ld in place of the standard's %ld\n", (long) standard, (long) expected);
        _Exit(73);
    }
    return mpich() ? mpichs : open_mpi;
}

static int rank(int standard) {
    return standard == -1 ? mpich() ? -2 : -1 : standard;
}

#define CALL(name, ...) ((int (*)()) symbol(name))(__VA_ARGS__)

int MPI_Abi_get_version(int *major, int *minor) {
    *major = 1;
    *minor = 0;
    return 0;
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
    return CALL("MPI_Init_thread", (any) argc, (any) argv, only(required, 1024, 1, 1), (any) provided);
}

int MPI_Comm_set_errhandler(any comm, any handler) {
    return CALL("MPI_Comm_set_errhandler", communicator(comm), of(handler));
}

int MPI_Comm_split_type(any comm, int type, int key, any info, any *made) {
    return CALL("MPI_Comm_split_type", communicator(comm), only(type, 221, 0, 1), (any) key, of(info), (any) made);
}

int MPI_Comm_rank(any comm, int *number) {
    return CALL("MPI_Comm_rank", communicator(comm), (any) number);
}

int MPI_Comm_size(any comm, int *number) {
    return CALL("MPI_Comm_size", communicator(comm), (any) number);
}

int MPI_Get_processor_name(char *name, int *length) {
    return CALL("MPI_Get_processor_name", (any) name, (any) length);
}

int MPI_Get_library_version(char *version, int *length) {
    return CALL("MPI_Get_library_version", (any) version, (any) length);
}

int MPI_Error_string(int code, char *text, int *length) {
    return CALL("MPI_Error_string", (any) code, (any) text, (any) length);
}

int MPI_Isend(const void *bytes, int count, any type, int to, int tag, any comm, any *request) {
    return CALL("MPI_Isend", (any) bytes, (any) count, of(type), (any) rank(to), (any) tag, communicator(comm), (any) request);
}

int MPI_Irecv(void *bytes, int count, any type, int from, int tag, any comm, any *request) {
    return CALL("MPI_Irecv", (any) bytes, (any) count, of(type), (any) rank(from), (any) tag, communicator(comm), (any) request);
}

int MPI_Test(any *request, int *done, void *status) {
    return CALL("MPI_Test", (any) request, (any) done, only((any) status, 0, 0, 1));
}

int MPI_Ibarrier(any comm, any *request) {
    return CALL("MPI_Ibarrier", communicator(comm), (any) request);
}

int MPI_Ibcast(void *bytes, int count, any type, int root, any comm, any *request) {
    return CALL("MPI_Ibcast", (any) bytes, (any) count, of(type), (any) root, communicator(comm), (any) request);
}

int MPI_Iallreduce(const void *give, void *take, int count, any type, any op, any comm, any *request) {
    any from = only((any) give, 1, 1, -1);
    return CALL("MPI_Iallreduce", from, (any) take, (any) count, of(type), of(op), communicator(comm), (any) request);
}

int MPI_Finalize(void) {
    return CALL("MPI_Finalize", (any) 0);
}

int MPI_Abort(any comm, int code) {
    return CALL("MPI_Abort", communicator(comm), (any) code);
}
