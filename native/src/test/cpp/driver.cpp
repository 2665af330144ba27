// The functions of libcuda.so.1 that JCuda calls for us, with the driver's own rules: what needs a context, what is refused while a stream is
// captured, what waits. Prototypes are written here, since a machine without a GPU has no cuda.h. All others are generated as weak stubs.
#include "module.h"
#include "stream.h"

#include <algorithm>
#include <cstdio>

using namespace simt;

namespace simt {

const std::string &reported();
void clearReports();

namespace {

struct Context {
    bool primary;
};

bool initialized;
std::set<Context *> contexts;
Context primary = {true};
int primaryRetained;
thread_local std::vector<Context *> current;

// What every call begins with: the lock, and the error that sticks.
struct Entry {
    std::lock_guard<std::recursive_mutex> guard{lock};
    int error;
    explicit Entry(bool needsContext = true) {
        while (!current.empty() && current.back() != &primary && current.back() != nullptr && !contexts.count(current.back())) current.pop_back();
        if (!initialized) error = NOT_INITIALIZED;
        else if (sticky != 0) error = sticky;
        else if (needsContext && (current.empty() || current.back() == nullptr)) error = INVALID_CONTEXT;
        else error = SUCCESS;
    }
};

// Nothing on the host may wait while a stream is captured.
int synchronize(const OperationRef *what) {
    if (capturing()) return refuseWhileCapturing();
    if (what != nullptr) complete(*what);
    else completeAll();
    return sticky;
}

// Runs now, after all that the default stream waits for.
int runOnDefaultStream(std::function<void()> work) {
    int result = enqueue(&legacyStream, std::move(work));
    if (result != SUCCESS) return result;
    complete(legacyStream.last);
    return sticky;
}

bool leaks(std::string &text) {
    std::vector<Allocation> live = liveAllocations();
    size_t bytes = 0;
    for (const Allocation &allocation : live) bytes += allocation.size;
    auto add = [&](size_t n, const std::string &what) {
        if (n > 0) text += (text.empty() ? "" : ", ") + std::to_string(n) + " " + what;
    };
    add(live.size(), "device allocations (" + std::to_string(bytes) + " bytes)");
    add(hostAllocations(), "pinned allocations");
    add(modules.size(), "modules");
    add(streams.size(), "streams");
    add(events.size(), "events");
    add(graphs.size(), "graphs");
    add(executables.size(), "executable graphs");
    return !text.empty();
}

void forgetEverything() {
    forgetAll();
    for (Module *module : modules) delete module;
    modules.clear();
    releaseAll();
}

void endContext(const char *who) {
    if (sticky == 0 && !capturing()) completeAll();
    std::string text;
    // After a failure nothing can be freed.
    if (sticky == 0 && leaks(text)) report("%s: leaked: %s", who, text.c_str());
    forgetEverything();
}

int copy(void *to, const void *from, size_t size, bool toDevice, bool fromDevice, const char *who) {
    if (toDevice && !checkRange((uintptr_t) to, size, who)) return ILLEGAL_ADDRESS;
    if (fromDevice && !checkRange((uintptr_t) from, size, who)) return ILLEGAL_ADDRESS;
    counters.copies++;
    if (!guarded([&] { memmove(to, from, size); }, who)) return ILLEGAL_ADDRESS;
    if (toDevice && fromDevice) shadowCopied((uintptr_t) to, (uintptr_t) from, size);
    else if (toDevice) shadowWritten((uintptr_t) to, size);
    return SUCCESS;
}

void stick(int result) {
    if (result != SUCCESS) sticky = result;
}

int fill(uintptr_t to, unsigned value, size_t width, size_t count, const char *who) {
    if (!checkRange(to, width * count, who)) return ILLEGAL_ADDRESS;
    for (size_t i = 0; i < count; i++) memcpy((void *) (to + width * i), &value, width);
    shadowWritten(to, width * count);
    return SUCCESS;
}

int fillOn(void *handle, uintptr_t to, unsigned value, size_t width, size_t count, const char *who) {
    if (to % width != 0 || !checkRange(to, width * count, who)) return INVALID_VALUE;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    return enqueue(s, [=] { stick(fill(to, value, width, count, who)); });
}

int startLaunch(Function *f, dim3 grid, dim3 block, unsigned shared, void *handle, void **parameters, void **extra) {
    const Kernel &kernel = *f->kernel;
    auto refuse = [&](int error, const std::string &why) {
        report("%s: launch refused: %s", kernel.name, why.c_str());
        return error;
    };
    Stream *s = stream(handle);
    if (s == nullptr) return refuse(INVALID_HANDLE, "no such stream");
    unsigned long threads = (unsigned long) block.x * block.y * block.z;
    if (threads == 0 || grid.x == 0 || grid.y == 0 || grid.z == 0) return refuse(INVALID_VALUE, "an empty grid or block");
    if (block.x > 1024 || block.y > 1024 || block.z > 64 || threads > 1024) return refuse(INVALID_VALUE, std::to_string(threads) + " threads in a block");
    if (grid.x > 0x7FFFFFFF || grid.y > 65535 || grid.z > 65535) return refuse(INVALID_VALUE, "a grid too large");
    if ((int) threads > f->maxThreads) {
        return refuse(LAUNCH_OUT_OF_RESOURCES, std::to_string(threads) + " threads, __launch_bounds__ says " + std::to_string(f->maxThreads));
    }
    if (f->staticShared + shared > 48 << 10 && shared > f->optedShared) {
        return refuse(INVALID_VALUE, std::to_string(f->staticShared + shared) + " bytes of shared memory without opting in to them");
    }
    auto launch = std::make_shared<Launch>();
    launch->kernel = &kernel;
    launch->grid = grid;
    launch->block = block;
    launch->shared = shared;
    launch->blob.resize(f->parameters + 16);
    const unsigned char *packed = nullptr;
    if (parameters == nullptr && extra != nullptr) {
        size_t size = 0;
        for (int i = 0; extra[i] != nullptr; i += 2) {
            if (extra[i] == (void *) 1) packed = static_cast<const unsigned char *>(extra[i + 1]);
            if (extra[i] == (void *) 2) size = *static_cast<size_t *>(extra[i + 1]);
        }
        if (packed == nullptr || size < f->parameters || size > f->parameters + 15) {
            return refuse(INVALID_VALUE, "a buffer of " + std::to_string(size) + " bytes for parameters of " + std::to_string(f->parameters));
        }
    } else if (parameters == nullptr && kernel.count > 0) {
        return refuse(INVALID_VALUE, "no parameters");
    }
    // Parameters are taken at the call: their memory may be used again at once.
    size_t at = 0;
    auto *blob = reinterpret_cast<unsigned char *>((reinterpret_cast<uintptr_t>(launch->blob.data()) + 15) & ~uintptr_t{15});
    bool whole = guarded([&] {
        for (size_t i = 0; i < kernel.count; i++) {
            at = (at + kernel.alignments[i] - 1) / kernel.alignments[i] * kernel.alignments[i];
            memcpy(blob + at, packed != nullptr ? packed + at : parameters[i], kernel.sizes[i]);
            launch->arguments.push_back(blob + at);
            at += kernel.sizes[i];
        }
    }, "parameters of a launch");
    if (!whole) return refuse(INVALID_VALUE, "parameters that cannot be read");
    return enqueue(s, [launch] { guarded([&] { run(*launch); }, launch->kernel->name); });
}

struct Attribute {
    int key;
    long value;
};

long attribute(int key) {
    int sm = 10 * options.major + options.minor;
    switch (key) {
    case 16: return options.multiprocessors;
    case 75: return options.major;
    case 76: return options.minor;
    case 39: return sm == 86 || sm == 89 || sm == 120 ? 1536 : 2048;
    case 81: return (long) sharedOptIn() + 1024;
    case 97: return (long) sharedOptIn();
    default: break;
    }
    static const Attribute table[] = {
        {1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535}, {8, 49152}, {9, 65536}, {10, 32}, {11, 2147483647},
        {12, 65536}, {13, 1980000}, {14, 512}, {15, 1}, {17, 0}, {18, 0}, {19, 1}, {20, 0}, {31, 1}, {32, 1}, {33, 1}, {34, 0}, {35, 0},
        {36, 2619000}, {37, 5120}, {38, 52428800}, {40, 3}, {41, 1}, {50, 0}, {78, 1}, {79, 1}, {80, 1}, {82, 65536}, {83, 1}, {84, 0}, {95, 1},
        {106, 32}, {111, 1024}, {115, 0}};
    for (const Attribute &a : table) {
        if (a.key == key) return a.value;
    }
    return 0;
}

}  // namespace
}  // namespace simt

#define API extern "C" __attribute__((visibility("default"))) int
#define ENTER                                    \
    Entry entry;                                 \
    if (entry.error != SUCCESS) return entry.error
#define ENTER_WITHOUT_CONTEXT                    \
    Entry entry{false};                          \
    if (entry.error != SUCCESS) return entry.error

// ---- the device ----

API cuInit(unsigned flags) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (flags != 0) return INVALID_VALUE;
    initialized = true;
    installFaultHandler();
    return SUCCESS;
}
API cuDriverGetVersion(int *version) {
    *version = options.driver;
    return SUCCESS;
}
API cuDeviceGetCount(int *count) {
    ENTER_WITHOUT_CONTEXT;
    *count = 1;
    return SUCCESS;
}
API cuDeviceGet(int *device, int ordinal) {
    ENTER_WITHOUT_CONTEXT;
    *device = 0;
    return ordinal == 0 ? SUCCESS : INVALID_DEVICE;
}
API cuDeviceGetName(char *name, int length, int device) {
    ENTER_WITHOUT_CONTEXT;
    if (device != 0) return INVALID_DEVICE;
    snprintf(name, (size_t) length, "Stand-in for sm_%d%d", options.major, options.minor);
    return SUCCESS;
}
API cuDeviceGetUuid(char *uuid, int) {
    ENTER_WITHOUT_CONTEXT;
    memcpy(uuid, "calm4j stand-in", 16);
    return SUCCESS;
}
API cuDeviceGetPCIBusId(char *id, int length, int) {
    ENTER_WITHOUT_CONTEXT;
    snprintf(id, (size_t) length, "0000:01:00.0");
    return SUCCESS;
}
API cuDeviceTotalMem_v2(size_t *bytes, int) {
    ENTER_WITHOUT_CONTEXT;
    *bytes = options.memory;
    return SUCCESS;
}
API cuDeviceGetAttribute(int *value, int key, int device) {
    ENTER_WITHOUT_CONTEXT;
    if (device != 0) return INVALID_DEVICE;
    *value = (int) attribute(key);
    return SUCCESS;
}
API cuDeviceComputeCapability(int *major, int *minor, int) {
    ENTER_WITHOUT_CONTEXT;
    *major = options.major;
    *minor = options.minor;
    return SUCCESS;
}

// ---- contexts ----

API cuCtxCreate_v2(void **context, unsigned, int device) {
    ENTER_WITHOUT_CONTEXT;
    if (device != 0) return INVALID_DEVICE;
    auto *created = new Context{false};
    contexts.insert(created);
    current.push_back(created);
    *context = created;
    return SUCCESS;
}
// Works after a failed launch too, as on a card, but does not heal it.
API cuCtxDestroy_v2(void *context) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    auto *c = static_cast<Context *>(context);
    if (!contexts.count(c)) return INVALID_CONTEXT;
    endContext("cuCtxDestroy");
    contexts.erase(c);
    delete c;
    std::erase(current, c);
    return SUCCESS;
}
API cuDevicePrimaryCtxRetain(void **context, int device) {
    ENTER_WITHOUT_CONTEXT;
    if (device != 0) return INVALID_DEVICE;
    primaryRetained++;
    *context = &primary;
    return SUCCESS;
}
API cuDevicePrimaryCtxRelease_v2(int) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (primaryRetained == 0) return INVALID_CONTEXT;
    if (--primaryRetained == 0) endContext("cuDevicePrimaryCtxRelease");
    return SUCCESS;
}
API cuDevicePrimaryCtxReset_v2(int) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    endContext("cuDevicePrimaryCtxReset");
    return SUCCESS;
}
API cuDevicePrimaryCtxSetFlags_v2(int, unsigned) {
    return SUCCESS;
}
API cuDevicePrimaryCtxGetState(int, unsigned *flags, int *active) {
    *flags = 0;
    *active = primaryRetained > 0;
    return SUCCESS;
}
API cuCtxSetCurrent(void *context) {
    Entry entry{false};
    if (!initialized) return NOT_INITIALIZED;
    if (!current.empty()) current.pop_back();
    if (context != nullptr) current.push_back(static_cast<Context *>(context));
    return SUCCESS;
}
API cuCtxGetCurrent(void **context) {
    Entry entry{false};
    if (!initialized) return NOT_INITIALIZED;
    *context = current.empty() ? nullptr : current.back();
    return SUCCESS;
}
API cuCtxPushCurrent_v2(void *context) {
    ENTER_WITHOUT_CONTEXT;
    current.push_back(static_cast<Context *>(context));
    return SUCCESS;
}
API cuCtxPopCurrent_v2(void **context) {
    ENTER;
    *context = current.back();
    current.pop_back();
    return SUCCESS;
}
API cuCtxGetDevice(int *device) {
    ENTER;
    *device = 0;
    return SUCCESS;
}
API cuCtxGetApiVersion(void *, unsigned *version) {
    *version = 3020;
    return SUCCESS;
}
API cuCtxSynchronize() {
    ENTER;
    return synchronize(nullptr);
}
API cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    ENTER;
    *least = 0;
    *greatest = -5;
    return SUCCESS;
}
API cuCtxSetLimit(int, size_t) {
    ENTER;
    return SUCCESS;
}
API cuCtxSetCacheConfig(int) {
    ENTER;
    return SUCCESS;
}

// ---- modules and launches ----

API cuModuleLoadData(void **module, const void *image) {
    ENTER;
    Module *loaded;
    int result = loadModule(static_cast<const char *>(image), loaded);
    if (result == SUCCESS) *module = loaded;
    return result;
}
API cuModuleLoadDataEx(void **module, const void *image, unsigned, int *, void **) {
    return cuModuleLoadData(module, image);
}
API cuModuleLoadFatBinary(void **module, const void *image) {
    return cuModuleLoadData(module, image);
}
API cuModuleUnload(void *module) {
    ENTER;
    auto *m = static_cast<Module *>(module);
    if (modules.erase(m) == 0) return INVALID_HANDLE;
    completeAll();
    delete m;
    return sticky;
}
API cuModuleGetFunction(void **function, void *module, const char *name) {
    ENTER;
    auto *m = static_cast<Module *>(module);
    if (!modules.count(m)) return INVALID_HANDLE;
    Function *f;
    int result = findFunction(m, name, f);
    if (result == SUCCESS) *function = f;
    return result;
}
API cuModuleGetLoadingMode(int *mode) {
    *mode = 1;
    return SUCCESS;
}
API cuFuncSetAttribute(void *function, int key, int value) {
    ENTER;
    auto *f = static_cast<Function *>(function);
    if (key != 8) return SUCCESS;
    if (value < 0 || (size_t) value + f->staticShared > sharedOptIn()) return INVALID_VALUE;
    f->optedShared = (size_t) value;
    return SUCCESS;
}
API cuFuncGetAttribute(int *value, int key, void *function) {
    ENTER;
    auto *f = static_cast<Function *>(function);
    switch (key) {
    case 0: *value = f->maxThreads; break;
    case 1: *value = (int) f->staticShared; break;
    case 4: *value = 32; break;
    case 5: case 6: *value = 80; break;
    case 8: *value = std::max((int) f->optedShared, (48 << 10) - (int) f->staticShared); break;
    default: *value = 0;
    }
    return SUCCESS;
}
API cuFuncSetCacheConfig(void *, int) {
    ENTER;
    return SUCCESS;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *, int threads, size_t shared) {
    ENTER;
    if (threads < 1 || threads > 1024) return INVALID_VALUE;
    long byThreads = attribute(39) / ((threads + 31) / 32 * 32), byShared = shared == 0 ? 32 : attribute(81) / (long) (shared + 1024);
    *blocks = (int) std::min({byThreads, byShared, 32L});
    return SUCCESS;
}
API cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *handle,
                   void **parameters, void **extra) {
    ENTER;
    if (function == nullptr) return INVALID_HANDLE;
    return startLaunch(static_cast<Function *>(function), {gx, gy, gz}, {bx, by, bz}, shared, handle, parameters, extra);
}
API cuLaunchHostFunc(void *handle, void (*function)(void *), void *data) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    return enqueue(s, [=] { function(data); });
}

// ---- memory ----

API cuMemAlloc_v2(uintptr_t *p, size_t size) {
    ENTER;
    if (capturing()) return refuseWhileCapturing();
    return allocate(size, *p);
}
// Waits for all work, as the driver's does.
API cuMemFree_v2(uintptr_t p) {
    ENTER;
    if (p == 0) return SUCCESS;
    if (capturing()) return refuseWhileCapturing();
    completeAll();
    if (sticky != 0) return sticky;
    int result = release(p);
    if (result == ILLEGAL_ADDRESS) sticky = result;
    return result;
}
API cuMemGetInfo_v2(size_t *available, size_t *total) {
    ENTER;
    *total = options.memory;
    *available = options.memory - memoryInUse();
    return SUCCESS;
}
API cuMemGetAddressRange_v2(uintptr_t *base, size_t *size, uintptr_t p) {
    ENTER;
    const Allocation *allocation = find(p);
    if (allocation == nullptr || !allocation->live) return NOT_FOUND;
    if (base != nullptr) *base = allocation->address;
    if (size != nullptr) *size = allocation->size;
    return SUCCESS;
}
API cuMemHostAlloc(void **p, size_t size, unsigned) {
    ENTER;
    return hostAllocate(size, *p, false);
}
API cuMemAllocHost_v2(void **p, size_t size) {
    return cuMemHostAlloc(p, size, 0);
}
API cuMemFreeHost(void *p) {
    ENTER;
    completeAll();
    if (sticky != 0) return sticky;
    return hostRelease(p, false);
}
API cuMemHostRegister_v2(void *p, size_t size, unsigned) {
    ENTER;
    if (isPinned(p)) return 712;
    return hostAllocate(size, p, true);
}
API cuMemHostUnregister(void *p) {
    ENTER;
    completeAll();
    if (sticky != 0) return sticky;
    return hostRelease(p, true);
}
API cuMemHostGetDevicePointer_v2(uintptr_t *device, void *p, unsigned) {
    ENTER;
    *device = (uintptr_t) p;
    return isPinned(p) ? SUCCESS : INVALID_VALUE;
}

API cuMemcpyHtoD_v2(uintptr_t to, const void *from, size_t size) {
    ENTER;
    if (!checkRange(to, size, "cuMemcpyHtoD")) return INVALID_VALUE;
    int copied = SUCCESS;
    int result = runOnDefaultStream([&] { copied = copy((void *) to, from, size, true, false, "cuMemcpyHtoD"); });
    return result != SUCCESS ? result : copied == SUCCESS ? SUCCESS : INVALID_VALUE;
}
API cuMemcpyDtoH_v2(void *to, uintptr_t from, size_t size) {
    ENTER;
    if (!checkRange(from, size, "cuMemcpyDtoH")) return INVALID_VALUE;
    int copied = SUCCESS;
    int result = runOnDefaultStream([&] { copied = copy(to, (void *) from, size, false, true, "cuMemcpyDtoH"); });
    return result != SUCCESS ? result : copied == SUCCESS ? SUCCESS : INVALID_VALUE;
}
API cuMemcpyHtoDAsync_v2(uintptr_t to, const void *from, size_t size, void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    if (!checkRange(to, size, "cuMemcpyHtoDAsync")) return INVALID_VALUE;
    // Pinned memory is read when the copy runs, pageable memory at the call.
    if (isPinned(from) || s->capture != nullptr) {
        return enqueue(s, [=] { stick(copy((void *) to, from, size, true, false, "cuMemcpyHtoDAsync")); });
    }
    auto snapshot = std::make_shared<std::vector<char>>(size);
    if (!guarded([&] { memcpy(snapshot->data(), from, size); }, "cuMemcpyHtoDAsync")) return INVALID_VALUE;
    return enqueue(s, [=] { stick(copy((void *) to, snapshot->data(), size, true, false, "cuMemcpyHtoDAsync")); });
}
API cuMemcpyDtoHAsync_v2(void *to, uintptr_t from, size_t size, void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    if (!checkRange(from, size, "cuMemcpyDtoHAsync")) return INVALID_VALUE;
    // The driver takes it and waits; into a Java array it would write where the array was when it was asked.
    if (!isPinned(to)) {
        report("cuMemcpyDtoHAsync: to memory that is not pinned, a Java array perhaps");
        return INVALID_VALUE;
    }
    return enqueue(s, [=] { stick(copy(to, (void *) from, size, false, true, "cuMemcpyDtoHAsync")); });
}
API cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t size, void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    if (!checkRange(to, size, "cuMemcpyDtoD") || !checkRange(from, size, "cuMemcpyDtoD")) return INVALID_VALUE;
    if (to < from + size && from < to + size && size > 0) {
        report("cuMemcpyDtoD: source and target overlap");
        return INVALID_VALUE;
    }
    return enqueue(s, [=] { stick(copy((void *) to, (void *) from, size, true, true, "cuMemcpyDtoD")); });
}
API cuMemcpyDtoD_v2(uintptr_t to, uintptr_t from, size_t size) {
    return cuMemcpyDtoDAsync_v2(to, from, size, nullptr);
}
API cuMemsetD8Async(uintptr_t to, unsigned char value, size_t count, void *handle) {
    ENTER;
    return fillOn(handle, to, value, 1, count, "cuMemsetD8");
}
API cuMemsetD16Async(uintptr_t to, unsigned short value, size_t count, void *handle) {
    ENTER;
    return fillOn(handle, to, value, 2, count, "cuMemsetD16");
}
API cuMemsetD32Async(uintptr_t to, unsigned value, size_t count, void *handle) {
    ENTER;
    return fillOn(handle, to, value, 4, count, "cuMemsetD32");
}
API cuMemsetD8_v2(uintptr_t to, unsigned char value, size_t count) {
    return cuMemsetD8Async(to, value, count, nullptr);
}
API cuMemsetD16_v2(uintptr_t to, unsigned short value, size_t count) {
    return cuMemsetD16Async(to, value, count, nullptr);
}
API cuMemsetD32_v2(uintptr_t to, unsigned value, size_t count) {
    return cuMemsetD32Async(to, value, count, nullptr);
}

// ---- streams and events ----

API cuStreamCreateWithPriority(void **handle, unsigned flags, int) {
    ENTER;
    auto *s = new Stream;
    s->blocking = (flags & 1) == 0;
    streams.insert(s);
    *handle = s;
    return SUCCESS;
}
API cuStreamCreate(void **handle, unsigned flags) {
    return cuStreamCreateWithPriority(handle, flags, 0);
}
API cuStreamDestroy_v2(void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr || s == &legacyStream) return INVALID_HANDLE;
    complete(s->last);
    streams.erase(s);
    delete s;
    return sticky;
}
API cuStreamSynchronize(void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    if (s == &legacyStream) {
        if (capturing()) return refuseWhileCapturing();
        // Queued now, a marker follows all that the default stream waits for.
        return runOnDefaultStream([] {});
    }
    if (s->capture != nullptr) return refuseWhileCapturing();
    complete(s->last);
    return sticky;
}
// The first answer is "not ready", as if the work had just not ended; then it has.
API cuStreamQuery(void *handle) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    if (s->capture != nullptr) return refuseWhileCapturing();
    if (s->last == nullptr || s->last->done) return SUCCESS;
    complete(s->last);
    return sticky != 0 ? sticky : NOT_READY;
}
API cuStreamWaitEvent(void *handle, void *event, unsigned) {
    ENTER;
    Stream *s = stream(handle);
    auto *e = static_cast<Event *>(event);
    if (s == nullptr || !events.count(e)) return INVALID_HANDLE;
    return waitFor(s, e);
}
API cuStreamGetFlags(void *handle, unsigned *flags) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    *flags = s->blocking ? 0 : 1;
    return SUCCESS;
}
API cuStreamBeginCapture_v2(void *handle, int) {
    ENTER;
    Stream *s = stream(handle);
    return s == nullptr ? INVALID_HANDLE : beginCapture(s);
}
API cuStreamEndCapture(void *handle, void **graph) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    *graph = nullptr;
    Graph *g = nullptr;
    int result = endCapture(s, g);
    *graph = g;
    return result;
}
API cuStreamIsCapturing(void *handle, int *status) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    *status = s->capture == nullptr ? 0 : s->capture->invalid ? 2 : 1;
    return SUCCESS;
}
API cuThreadExchangeStreamCaptureMode(int *) {
    return SUCCESS;
}

API cuEventCreate(void **event, unsigned flags) {
    ENTER;
    auto *e = new Event;
    e->timing = (flags & 2) == 0;
    events.insert(e);
    *event = e;
    return SUCCESS;
}
API cuEventDestroy_v2(void *event) {
    ENTER;
    auto *e = static_cast<Event *>(event);
    if (events.erase(e) == 0) return INVALID_HANDLE;
    delete e;
    return SUCCESS;
}
API cuEventRecord(void *event, void *handle) {
    ENTER;
    Stream *s = stream(handle);
    auto *e = static_cast<Event *>(event);
    if (s == nullptr || !events.count(e)) return INVALID_HANDLE;
    return record(e, s);
}
API cuEventSynchronize(void *event) {
    ENTER;
    auto *e = static_cast<Event *>(event);
    if (!events.count(e)) return INVALID_HANDLE;
    if (e->capture != nullptr) return refuseWhileCapturing();
    complete(e->recorded);
    return sticky;
}
API cuEventQuery(void *event) {
    ENTER;
    auto *e = static_cast<Event *>(event);
    if (!events.count(e)) return INVALID_HANDLE;
    if (e->capture != nullptr) return refuseWhileCapturing();
    if (e->recorded == nullptr || e->recorded->done) return SUCCESS;
    complete(e->recorded);
    return sticky != 0 ? sticky : NOT_READY;
}
API cuEventElapsedTime(float *milliseconds, void *start, void *end) {
    ENTER;
    auto *s = static_cast<Event *>(start), *e = static_cast<Event *>(end);
    if (!events.count(s) || !events.count(e) || !s->timing || !e->timing || !s->recorded || !e->recorded) return INVALID_HANDLE;
    if (!s->recorded->done || !e->recorded->done) return NOT_READY;
    *milliseconds = (float) (1e3 * (*e->seconds - *s->seconds));
    return SUCCESS;
}

// ---- graphs ----

API cuGraphDestroy(void *graph) {
    ENTER;
    auto *g = static_cast<Graph *>(graph);
    if (graphs.erase(g) == 0) return INVALID_HANDLE;
    delete g;
    return SUCCESS;
}
API cuGraphGetNodes(void *graph, void **, size_t *count) {
    ENTER;
    auto *g = static_cast<Graph *>(graph);
    if (!graphs.count(g)) return INVALID_HANDLE;
    *count = g->nodes.size();
    return SUCCESS;
}
API cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long) {
    ENTER;
    auto *g = static_cast<Graph *>(graph);
    if (!graphs.count(g)) return INVALID_HANDLE;
    auto *e = new Graph(*g);
    executables.insert(e);
    *executable = e;
    return SUCCESS;
}
API cuGraphExecDestroy(void *executable) {
    ENTER;
    auto *e = static_cast<Graph *>(executable);
    if (!executables.count(e)) return INVALID_HANDLE;
    completeAll();
    executables.erase(e);
    delete e;
    return sticky;
}
API cuGraphUpload(void *, void *) {
    ENTER;
    return SUCCESS;
}
API cuGraphLaunch(void *executable, void *handle) {
    ENTER;
    Stream *s = stream(handle);
    auto *e = static_cast<Graph *>(executable);
    if (s == nullptr || !executables.count(e)) return INVALID_HANDLE;
    counters.graphLaunches++;
    return enqueue(s, [e] { runGraph(e->nodes); });
}

// ---- the rest ----

struct ErrorText {
    int error;
    const char *name, *text;
};
static const ErrorText *errorText(int error) {
    static const ErrorText all[] = {
        {SUCCESS, "CUDA_SUCCESS", "no error"},
        {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
        {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
        {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
        {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
        {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
        {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
        {NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
        {UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
        {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
        {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
        {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
        {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
        {LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
        {LAUNCH_TIMEOUT, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
        {MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
        {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
        {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
        {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
        {CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
        {CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
        {CAPTURE_ISOLATION, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
    };
    auto found = std::find_if(std::begin(all), std::end(all), [&](auto &e) { return e.error == error; });
    return found == std::end(all) ? nullptr : found;
}
API cuGetErrorString(int error, const char **text) {
    const ErrorText *e = errorText(error);
    *text = e == nullptr ? nullptr : e->text;
    return e == nullptr ? INVALID_VALUE : SUCCESS;
}
API cuGetErrorName(int error, const char **name) {
    const ErrorText *e = errorText(error);
    *name = e == nullptr ? nullptr : e->name;
    return e == nullptr ? INVALID_VALUE : SUCCESS;
}
API cuProfilerStart() {
    return SUCCESS;
}
API cuProfilerStop() {
    return SUCCESS;
}

// ---- hooks for tests: as in `simt_report`, found by name in the library ----

#define HOOK extern "C" __attribute__((visibility("default")))

// All reports since the last reset, a line each; valid until the next call.
HOOK const char *simt_report() {
    std::lock_guard<std::recursive_mutex> guard(lock);
    return reported().c_str();
}
// Forgets the error that sticks, reports and all work; with `everything`, all objects and memory too.
HOOK void simt_reset(int everything) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    sticky = 0;
    clearReports();
    if (everything) forgetEverything();
}
// What is alive, as text: "2 device allocations (4096 bytes), 1 modules"; empty where nothing is.
HOOK const char *simt_live() {
    std::lock_guard<std::recursive_mutex> guard(lock);
    static std::string text;
    text.clear();
    leaks(text);
    return text.c_str();
}
// 0 forward, 1 reverse, 2 random with the seed.
HOOK void simt_order(int order, unsigned long long seed) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    options.order = static_cast<Order>(order);
    options.seed = seed;
}
HOOK int simt_current_order() {
    return static_cast<int>(options.order);
}
HOOK void simt_memory(size_t bytes) {
    options.memory = bytes;
}
HOOK void simt_device(int major, int minor, int driver) {
    options.major = major;
    options.minor = minor;
    options.driver = driver;
}
// 0 launches, 1 launches of graphs, 2 copies, 3 matrix products, 4 switches of fibers, 5 threads run.
HOOK long simt_counter(int which) {
    const long *all = &counters.launches;
    return which < 0 || which > 5 ? -1 : all[which];
}
HOOK int simt_is_check() {
#ifdef SIMT_CHECK
    return 1;
#else
    return 0;
#endif
}

// For the generated stubs.
extern "C" __attribute__((visibility("hidden"))) int simt_missing(const char *name) {
    report("%s is not in the stand-in", name);
    return NOT_SUPPORTED;
}

// For the stand-in of cuBLAS.
HOOK int simt_enqueue_product(void *handle, std::function<void()> *work) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    counters.products++;
    return enqueue(s, *work);
}
HOOK int simt_touch(const void *p, size_t size, int write, const char *who) {
    auto address = (uintptr_t) p;
    if (!checkRange(address, size, who)) return sticky = ILLEGAL_ADDRESS;
    if (write) {
        shadowWritten(address, size);
    } else {
        size_t unwritten = shadowFirstUnwritten(address, size);
        if (unwritten < size) {
            report("%s: reads what nobody wrote: %s", who, describe(address + unwritten).c_str());
            return sticky = LAUNCH_FAILED;
        }
    }
    return SUCCESS;
}
