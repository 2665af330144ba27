// The device and its contexts.
#include "driver.h"

#include <algorithm>
#include <cstdio>
#include <map>

using namespace simt;

namespace simt {
namespace {

struct Context {
    bool primary;
    int device;
    int retained;                       // of a primary one
};

bool initialized;
std::set<Context *> contexts;
std::map<int, Context> primaries;       // by device
// What the ends of contexts found left, until the next reset: with a context that others hold too it would stay.
std::string lost;
thread_local std::vector<Context *> current;

bool exists(int device) {
    return device >= 0 && device < (int) options.devices.size();
}

bool isPrimary(const Context *context) {
    return std::any_of(primaries.begin(), primaries.end(), [&](auto &p) { return &p.second == context; });
}

int retained() {
    int sum = 0;
    for (auto &[device, context] : primaries) sum += context.retained;
    return sum;
}

struct Attribute {
    int key;
    long value;
};


}  // namespace

Entry::Entry(bool needsContext) {
    auto gone = [](Context *c) { return c != nullptr && (isPrimary(c) ? c->retained == 0 : !contexts.count(c)); };
    while (!current.empty() && gone(current.back())) current.pop_back();
    if (!initialized) error = NOT_INITIALIZED;
    else if (sticky != 0) error = sticky;
    else if (needsContext && (current.empty() || current.back() == nullptr)) error = INVALID_CONTEXT;
    else error = SUCCESS;
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
    add((size_t) retained(), "holds of the primary context");
    return !text.empty();
}

std::string &leftByContexts() {
    return lost;
}

int primaryDevice() {
    return current.empty() || !isPrimary(current.back()) ? -1 : current.back()->device;
}

void forgetEverything() {
    forgetAll();
    for (Module *module : modules) delete module;
    modules.clear();
    releaseAll();
}

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
        {1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535}, {8, 49152}, {9, 65536}, {10, 32},
        {11, 2147483647},
        {12, 65536}, {13, 1980000}, {14, 512}, {15, 1}, {17, 0}, {18, 0}, {19, 1}, {20, 0}, {31, 1}, {32, 1}, {33, 1}, {34, 0}, {35, 0},
        {36, 2619000}, {37, 5120}, {38, 52428800}, {40, 3}, {41, 1}, {50, 0}, {78, 1}, {79, 1}, {80, 1}, {82, 65536}, {83, 1}, {84, 0},
        {95, 1},
        {106, 32}, {111, 1024}, {115, 0}};
    for (const Attribute &a : table) {
        if (a.key == key) return a.value;
    }
    return 0;
}

namespace {

// Nothing on the host may wait while a stream is captured.
int synchronize(const OperationRef *what) {
    if (capturing()) return refuseWhileCapturing();
    if (what != nullptr) complete(*what);
    else completeAll();
    return sticky;
}

void endContext(const char *who) {
    if (sticky == 0 && !capturing()) completeAll();
    std::string text;
    // After a failure nothing can be freed.
    if (sticky == 0 && leaks(text)) {
        report("%s: leaked: %s", who, text.c_str());
        lost += (lost.empty() ? "" : ", ") + text + " when a context ended";
    }
    forgetEverything();
}

}  // namespace
}  // namespace simt

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
    *count = (int) options.devices.size();
    return SUCCESS;
}
API cuDeviceGet(int *device, int ordinal) {
    ENTER_WITHOUT_CONTEXT;
    *device = ordinal;
    return exists(ordinal) ? SUCCESS : INVALID_DEVICE;
}
API cuDeviceGetName(char *name, int length, int device) {
    ENTER_WITHOUT_CONTEXT;
    if (!exists(device)) return INVALID_DEVICE;
    snprintf(name, (size_t) length, "Stand-in for sm_%d%d", options.major, options.minor);
    return SUCCESS;
}
API cuDeviceGetUuid_v2(char *uuid, int device) {
    ENTER_WITHOUT_CONTEXT;
    if (!exists(device)) return INVALID_DEVICE;
    memcpy(uuid, "calm4j stand-in", 15);
    uuid[15] = (char) options.devices[(size_t) device];
    return SUCCESS;
}
API cuDeviceGetPCIBusId(char *id, int length, int device) {
    ENTER_WITHOUT_CONTEXT;
    if (!exists(device)) return INVALID_DEVICE;
    snprintf(id, (size_t) length, "0000:%02x:00.0", 1 + options.devices[(size_t) device]);
    return SUCCESS;
}
API cuDeviceTotalMem_v2(size_t *bytes, int) {
    ENTER_WITHOUT_CONTEXT;
    *bytes = options.memory;
    return SUCCESS;
}
API cuDeviceGetAttribute(int *value, int key, int device) {
    ENTER_WITHOUT_CONTEXT;
    if (!exists(device)) return INVALID_DEVICE;
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
    if (!exists(device)) return INVALID_DEVICE;
    auto *created = new Context{false, device, 0};
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
    if (!exists(device)) return INVALID_DEVICE;
    Context &primary = primaries.try_emplace(device, Context{true, device, 0}).first->second;
    primary.retained++;
    *context = &primary;
    return SUCCESS;
}
API cuDevicePrimaryCtxRelease_v2(int device) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    auto held = primaries.find(device);
    if (held == primaries.end() || held->second.retained == 0) return INVALID_CONTEXT;
    held->second.retained--;
    // All devices' memory is one here.
    if (retained() == 0) endContext("cuDevicePrimaryCtxRelease");
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
API cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    *flags = 0;
    *active = primaries.count(device) && primaries[device].retained > 0;
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
    *device = current.back()->device;
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

// ---- errors ----

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
