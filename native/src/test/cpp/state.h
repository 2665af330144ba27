// What the parts of the stand-in share: the device's memory, its queue of work, the launch that runs, and what went wrong.
#pragma once

#include "simt.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace simt {

// Names of CUresult values that the stand-in returns.
enum Result : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    NO_BINARY_FOR_GPU = 209,
    UNSUPPORTED_PTX_VERSION = 222,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_OUT_OF_RESOURCES = 701,
    LAUNCH_TIMEOUT = 702,
    MISALIGNED_ADDRESS = 716,
    LAUNCH_FAILED = 719,
    NOT_SUPPORTED = 801,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
    CAPTURE_UNMATCHED = 903,
    CAPTURE_UNJOINED = 904,
    CAPTURE_ISOLATION = 905,
    CAPTURE_IMPLICIT = 906,
};

// One lock for everything: calls of several host threads follow each other.
extern std::recursive_mutex lock;

// ---- what went wrong ----

// Sets what simt_report() gives, and writes it to the native standard error (never to standard output: test runners talk there).
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
// As on a card, after a failed launch every call fails until the process ends (or simt_reset).
extern int sticky;
// "file:line" of an instruction, by addr2line where it is there.
std::string place(const void *pc);

// ---- options: environment variables SIMT_…, or hooks ----

enum class Order { FORWARD, REVERSE, RANDOM };
struct Options {
    Order order = Order::FORWARD;
    unsigned long long seed = 0;
    size_t memory = 4ull << 30;         // of the device, bytes
    int major = 9, minor = 0;           // compute capability
    int multiprocessors = 132;
    int driver = 12060;
    std::vector<int> devices = {0};     // that this process sees, by their number in the machine
};
extern Options options;
unsigned random(unsigned bound);

struct Counters {
    long launches, graphLaunches, copies, products, switches, threads;
};
extern Counters counters;

// ---- memory ----

struct Allocation {
    uintptr_t address;
    size_t size;
    uintptr_t mapping;
    size_t mapped;                      // without the guard page behind
    bool live;
    long serial;
};
bool isDevice(const void *p);
// The allocation that holds p, live or freed, or whose guard or tail p lies in; null outside of all.
const Allocation *find(uintptr_t p);
int allocate(size_t size, uintptr_t &address);
int release(uintptr_t address);
size_t memoryInUse();
std::vector<Allocation> liveAllocations();
// Whether [p, p+size) is inside one live allocation; reports what is wrong in the name of `who`.
bool checkRange(uintptr_t p, size_t size, const char *who);
// Says where p lies: "byte 4000 of the allocation of 4000 bytes", "byte 0 of a freed allocation of 4096 bytes", …
std::string describe(uintptr_t p);
// False, and a report, where bytes behind an allocation were written.
bool canariesWhole(const char *who);
void releaseAll();

int hostAllocate(size_t size, void *&p, bool registered);
int hostRelease(void *p, bool registered);
bool isPinned(const void *p);
size_t hostAllocations();

// ---- shadow of memory, in the check build ----

extern uintptr_t arenaStart, arenaEnd;
void shadowAllocated(uintptr_t p, size_t size);
void shadowFreed(uintptr_t p, size_t size);
void shadowWritten(uintptr_t p, size_t size);
void shadowCopied(uintptr_t to, uintptr_t from, size_t size);
// The first byte of [p, p+size) that nobody wrote, or size.
size_t shadowFirstUnwritten(uintptr_t p, size_t size);
void shadowLaunch();
void shadowBlock(unsigned char *shared, size_t sharedSize, char *statics, size_t staticsSize);

// ---- work ----

struct Launch {
    const Kernel *kernel;
    dim3 grid, block;
    size_t shared;
    std::vector<unsigned char> blob;
    std::vector<void *> arguments;      // into blob
};
// Runs all blocks; what goes wrong is reported and makes `sticky`.
void run(const Launch &launch);
const Kernel *findKernel(const std::string &name);
// Runs `work`, and turns a bad address in it into false.
bool guarded(const std::function<void()> &work, const char *who);
void installFaultHandler();

// Where the running thread is, for reports.
struct Where {
    const char *kernel;
    uint3 block, thread;
    int index;                          // of the thread in its block
    unsigned blockIndex;
    unsigned epoch;                     // barriers passed
    unsigned warpEpoch;
};
Where where();
bool running();
// Asynchronous copies of the running thread that nobody waited for yet; `group` is the one that was not committed.
struct AsyncCopy {
    void *to;
    const void *from;
    int bytes, group;
};
struct AsyncCopies {
    int group;
    std::vector<AsyncCopy> copies;
};
AsyncCopies &asyncCopies();
std::string whereText();

struct Stream;
struct Event;
struct Graph;
Stream *stream(void *handle);           // null where there is none
int enqueue(Stream *stream, std::function<void()> work);

// ---- transfers between processes ----

struct Range {
    const void *p;
    size_t size;
    bool write;
    const char *who;                    // a literal
};
// Work that waits for another process: `attempt` takes it a little further, and returns whether it is done. `ranges` is what it touches.
int enqueueTransfer(Stream *stream, std::function<bool()> attempt, const std::vector<Range> &ranges);
// Says what is wrong where the running work touches what a transfer touches too and did not run in the order in which they were queued, so
// that nothing orders them; null where all is well. Always null in the plain build, which gives what a slow GPU would give.
const char *unorderedTransfer(const void *p, size_t size, bool write);

}  // namespace simt
