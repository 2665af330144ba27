// The check build. The compiler calls a hook at every load and store of a kernel (-fsanitize=thread, linked without its run-time library);
// here each is looked up in shadow memory: is the byte inside an allocation, was it written, and who touched it last without a barrier
// between. In the plain build nothing of this is there but the hooks of -fsanitize=alignment,bounds, which both builds have.
#include "state.h"

#include <cstdio>
#include <sys/mman.h>

namespace simt {

#ifdef SIMT_CHECK
namespace {

enum : unsigned char { OUTSIDE = 0, UNWRITTEN = 1, WRITTEN = 2 };

// Who touched two bytes last. `launch` is the launch for global memory, the run of a block for shared memory: others are no concern.
struct Touch {
    unsigned launch, block, pc;
    unsigned short thread, epoch, warpEpoch;
    unsigned char severalWarps, severalBlocks;
};
struct Cell {
    Touch write, read;
};

unsigned char *states;                  // a byte for each byte of the arena
Cell *cells;                            // one for two bytes
constexpr size_t SHARED = 256 << 10;
unsigned char sharedStates[2][SHARED];  // dynamic, static
Cell sharedCells[2][SHARED / 2];
uintptr_t sharedStart[2];
size_t sharedSize[2];
unsigned launchNumber, blockRun;
unsigned char *sharedMemoryStart;
const char *base = reinterpret_cast<const char *>(&sharedMemoryStart);

template <typename T> T *reserve(size_t size) {
    void *p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        report("no address space for the shadow of memory");
        abort();
    }
    madvise(p, size, MADV_DONTDUMP);
    return static_cast<T *>(p);
}

// Within the library, code lies within 2 GiB of `base`.
unsigned packed(const void *pc) {
    return (unsigned) (int) (static_cast<const char *>(pc) - base);
}
const void *unpacked(unsigned pc) {
    return base + (int) pc;
}

[[noreturn]] void race(const char *kind, const Touch &other, const Where &me, const char *memory, size_t offset, const void *pc) {
    std::string theirs = place(unpacked(other.pc)), mine = place(pc);
    const char *several = other.severalBlocks ? " and other blocks" : other.severalWarps ? " and others" : "";
    fail(LAUNCH_FAILED, "race on %s at byte %zu: %s; block %u, thread %u%s at %s, and block %u, thread %d at %s", memory, offset, kind,
         other.block, other.thread, several, theirs.c_str(), me.blockIndex, me.index, mine.c_str());
}

// Whether nothing orders the other touch before this one.
bool unordered(const Touch &other, unsigned launch, const Where &me) {
    if (other.launch != launch) return false;
    if (other.block != me.blockIndex || other.severalBlocks) return true;
    if (other.epoch != (unsigned short) me.epoch) return false;
    if (other.severalWarps) return true;
    if (other.thread == (unsigned) me.index) return false;
    if (other.thread / 32 != (unsigned) me.index / 32) return true;
    return other.warpEpoch == (unsigned short) me.warpEpoch;
}

Touch touchBy(const Where &me, unsigned launch, unsigned pc) {
    return {launch, me.blockIndex, pc, (unsigned short) me.index, (unsigned short) me.epoch, (unsigned short) me.warpEpoch, 0, 0};
}

// Readers that nothing orders are kept as one: the first of them, and whether there were others.
void addReader(Touch &read, unsigned launch, const Where &me, unsigned pc) {
    Touch mine = touchBy(me, launch, pc);
    if (read.launch == launch) {
        if (read.severalBlocks || read.block != me.blockIndex) {
            mine.severalBlocks = 1;
        } else if (read.epoch == mine.epoch) {
            bool otherWarp = read.thread / 32 != mine.thread / 32;
            // Two lanes of a warp between the same __syncwarp()s count as several too: a third must not write.
            bool otherLane = read.thread != mine.thread && read.warpEpoch == mine.warpEpoch;
            mine.severalWarps = read.severalWarps || otherWarp || otherLane;
            if (mine.severalWarps) mine.thread = read.thread, mine.pc = read.pc;
        }
    }
    read = mine;
}

void touch(const void *p, size_t size, bool write, const void *pc) {
    auto address = reinterpret_cast<uintptr_t>(p);
    const char *access = write ? "write" : "read", *memory;
    unsigned char *state;
    Cell *cell;
    size_t offset;
    unsigned launch;
    if (address - arenaStart < arenaEnd - arenaStart) {
        offset = address - arenaStart;
        state = states + offset;
        cell = cells + offset / 2;
        memory = "global memory";
        launch = launchNumber;
    } else {
        int which = address - sharedStart[0] < sharedSize[0] + 4096 ? 0 : address - sharedStart[1] < sharedSize[1] ? 1 : -1;
        if (which < 0) {
            if (address < 4096) fail(ILLEGAL_ADDRESS, "%s through a null pointer at %s", access, place(pc).c_str());
            return;                     // the fiber's stack, arguments, constants
        }
        offset = address - sharedStart[which];
        state = sharedStates[which] + offset;
        cell = sharedCells[which] + offset / 2;
        memory = which == 0 ? "dynamic shared memory" : "shared memory";
        launch = blockRun;
        if (which == 0 && offset + size > sharedSize[0]) {
            fail(ILLEGAL_ADDRESS, "%s of %zu bytes out of bounds of dynamic shared memory: byte %zu of %zu, at %s", access, size, offset,
                 sharedSize[0], place(pc).c_str());
        }
    }
    if (memory[0] == 'g') {
        if (const char *unordered = unorderedTransfer(p, size, write)) fail(LAUNCH_FAILED, "%s, at %s", unordered, place(pc).c_str());
    }
    for (size_t i = 0; i < size; i++) {
        if (state[i] == OUTSIDE) {
            const Allocation *allocation = find(address + i);
            const char *what = allocation == nullptr ? "bad address" : allocation->live ? "out of bounds" : "use after free";
            fail(ILLEGAL_ADDRESS, "%s of %zu bytes, %s: %s, at %s", access, size, what, describe(address + i).c_str(), place(pc).c_str());
        }
        if (write) {
            state[i] = WRITTEN;
        } else if (state[i] == UNWRITTEN) {
            std::string text = launch == launchNumber && cell >= cells ? describe(address + i) : "byte " + std::to_string(offset + i);
            fail(LAUNCH_FAILED, "read of %zu bytes of %s that nobody wrote: %s, at %s", size, memory, text.c_str(), place(pc).c_str());
        }
    }
    if (size == 1) return;              // two bytes share a cell
    Where me = where();
    unsigned packedPc = packed(pc);
    for (size_t i = 0; i < (size + 1) / 2; i++) {
        Cell &c = cell[i];
        size_t at = offset + 2 * i;
        if (memory[0] == 'g') {
            const Allocation *allocation = nullptr;
            if (unordered(c.write, launch, me) || (write && unordered(c.read, launch, me))) allocation = find(address);
            if (allocation != nullptr) at = address + 2 * i - allocation->address;
        }
        if (unordered(c.write, launch, me)) race(write ? "two writes" : "read after write", c.write, me, memory, at, pc);
        if (write) {
            if (unordered(c.read, launch, me)) race("write after read", c.read, me, memory, at, pc);
            c.write = touchBy(me, launch, packedPc);
        } else {
            addReader(c.read, launch, me, packedPc);
        }
    }
}

}  // namespace

void shadowAllocated(uintptr_t p, size_t size) {
    if (states == nullptr) {
        states = reserve<unsigned char>(arenaEnd - arenaStart);
        cells = reserve<Cell>((arenaEnd - arenaStart) / 2 * sizeof(Cell));
    }
    memset(states + (p - arenaStart), UNWRITTEN, size);
}

void shadowFreed(uintptr_t p, size_t size) {
    memset(states + (p - arenaStart), OUTSIDE, size);
    auto pages = [](void *from, void *to) {
        auto first = (reinterpret_cast<uintptr_t>(from) + 4095) & ~uintptr_t{4095};
        auto last = reinterpret_cast<uintptr_t>(to) & ~uintptr_t{4095};
        if (last > first) madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
    };
    pages(cells + (p - arenaStart) / 2, cells + (p + size - arenaStart) / 2);
}

void shadowWritten(uintptr_t p, size_t size) {
    if (states != nullptr) memset(states + (p - arenaStart), WRITTEN, size);
}

void shadowCopied(uintptr_t to, uintptr_t from, size_t size) {
    memmove(states + (to - arenaStart), states + (from - arenaStart), size);
}

size_t shadowFirstUnwritten(uintptr_t p, size_t size) {
    auto *found = static_cast<unsigned char *>(memchr(states + (p - arenaStart), UNWRITTEN, size));
    return found == nullptr ? size : found - (states + (p - arenaStart));
}

void shadowLaunch() {
    launchNumber++;
}

void shadowBlock(unsigned char *shared, size_t size, char *statics, size_t staticsSize) {
    blockRun++;
    sharedStart[0] = reinterpret_cast<uintptr_t>(shared);
    sharedSize[0] = size;
    sharedStart[1] = reinterpret_cast<uintptr_t>(statics);
    sharedSize[1] = staticsSize;
    memset(sharedStates[0], UNWRITTEN, size);
    memset(sharedStates[1], UNWRITTEN, staticsSize);
}

void touchRead(const void *p, size_t size) {
    touch(p, size, false, __builtin_return_address(0));
}

void touchWrite(void *p, size_t size) {
    touch(p, size, true, __builtin_return_address(0));
}

#define HOOK(name, size, write) \
    extern "C" void name(void *p) { touch(p, size, write, __builtin_return_address(0)); }
HOOK(__tsan_read1, 1, false)
HOOK(__tsan_read2, 2, false)
HOOK(__tsan_read4, 4, false)
HOOK(__tsan_read8, 8, false)
HOOK(__tsan_read16, 16, false)
HOOK(__tsan_write1, 1, true)
HOOK(__tsan_write2, 2, true)
HOOK(__tsan_write4, 4, true)
HOOK(__tsan_write8, 8, true)
HOOK(__tsan_write16, 16, true)
HOOK(__tsan_unaligned_read2, 2, false)
HOOK(__tsan_unaligned_read4, 4, false)
HOOK(__tsan_unaligned_read8, 8, false)
HOOK(__tsan_unaligned_read16, 16, false)
HOOK(__tsan_unaligned_write2, 2, true)
HOOK(__tsan_unaligned_write4, 4, true)
HOOK(__tsan_unaligned_write8, 8, true)
HOOK(__tsan_unaligned_write16, 16, true)
extern "C" void __tsan_read_range(void *p, unsigned long size) {
    touch(p, size, false, __builtin_return_address(0));
}
extern "C" void __tsan_write_range(void *p, unsigned long size) {
    touch(p, size, true, __builtin_return_address(0));
}
extern "C" void __tsan_init() {}
extern "C" void __tsan_vptr_update(void **, void *) {}
extern "C" void __tsan_vptr_read(void **) {}

// Atomics order nothing but themselves, and are no races; their bounds count.
template <typename T> static T *atomic(volatile T *p) {
    auto address = reinterpret_cast<uintptr_t>(p);
    if (isDevice((const void *) p) && states[address - arenaStart] == OUTSIDE) {
        fail(ILLEGAL_ADDRESS, "an atomic out of bounds: %s", describe(address).c_str());
    }
    return const_cast<T *>(p);
}
extern "C" unsigned __tsan_atomic32_load(const volatile unsigned *p, int) {
    return *atomic(const_cast<volatile unsigned *>(p));
}
extern "C" void __tsan_atomic32_store(volatile unsigned *p, unsigned x, int) {
    *atomic(p) = x;
}
extern "C" unsigned long __tsan_atomic64_load(const volatile unsigned long *p, int) {
    return *atomic(const_cast<volatile unsigned long *>(p));
}
extern "C" void __tsan_atomic64_store(volatile unsigned long *p, unsigned long x, int) {
    *atomic(p) = x;
}

#else

void shadowAllocated(uintptr_t, size_t) {}
void shadowFreed(uintptr_t, size_t) {}
void shadowWritten(uintptr_t, size_t) {}
void shadowCopied(uintptr_t, uintptr_t, size_t) {}
size_t shadowFirstUnwritten(uintptr_t, size_t size) {
    return size;
}
void shadowLaunch() {}
void shadowBlock(unsigned char *, size_t, char *, size_t) {}
void touchRead(const void *, size_t) {}
void touchWrite(void *, size_t) {}

#endif

// ---- -fsanitize=alignment,bounds ----

struct SourceLocation {
    const char *file;
    unsigned line, column;
};
struct TypeDescriptor {
    unsigned short kind, info;
    char name[1];
};
struct TypeMismatch {
    SourceLocation location;
    TypeDescriptor *type;
    unsigned char logAlignment, check;
};
struct OutOfBounds {
    SourceLocation location;
    TypeDescriptor *array, *index;
};

static const char *fileName(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == nullptr ? path : slash + 1;
}

extern "C" void __ubsan_handle_type_mismatch_v1(TypeMismatch *data, void *p) {
    size_t alignment = size_t{1} << data->logAlignment;
    if (p == nullptr) fail(ILLEGAL_ADDRESS, "%s:%u: a null pointer", fileName(data->location.file), data->location.line);
    if (reinterpret_cast<uintptr_t>(p) % alignment != 0) {
        fail(MISALIGNED_ADDRESS, "%s:%u: %p is not aligned to %zu bytes for %s", fileName(data->location.file), data->location.line, p,
            alignment,
             data->type->name);
    }
}

extern "C" void __ubsan_handle_out_of_bounds(OutOfBounds *data, void *index) {
    fail(ILLEGAL_ADDRESS, "%s:%u: index %ld is out of bounds of %s", fileName(data->location.file), data->location.line, (long) index,
         data->array->name);
}

}  // namespace simt
