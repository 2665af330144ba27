// Hooks for tests, found by name in the library; the stubs; and what the stand-in of cuBLAS needs.
#include "driver.h"

using namespace simt;

// All reports since the last reset, a line each; valid until the next call.
EXPORTED const char *simt_report() {
    std::lock_guard<std::recursive_mutex> guard(lock);
    return reported().c_str();
}
// Forgets the error that sticks, reports and all work; with `everything`, all objects and memory too.
EXPORTED void simt_reset(int everything) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    sticky = 0;
    clearReports();
    leftByContexts().clear();
    if (everything) forgetEverything();
}
// What is alive, or was when its context ended, as text: "2 device allocations (4096 bytes), 1 modules"; empty where nothing is.
EXPORTED const char *simt_live() {
    std::lock_guard<std::recursive_mutex> guard(lock);
    static std::string text;
    text.clear();
    leaks(text);
    if (!leftByContexts().empty()) text += (text.empty() ? "" : ", ") + leftByContexts();
    return text.c_str();
}
// 0 forward, 1 reverse, 2 random with the seed.
EXPORTED void simt_order(int order, unsigned long long seed) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    options.order = static_cast<Order>(order);
    options.seed = seed;
}
EXPORTED int simt_current_order() {
    return static_cast<int>(options.order);
}
EXPORTED void simt_memory(size_t bytes) {
    options.memory = bytes;
}
EXPORTED void simt_device(int major, int minor, int driver) {
    options.major = major;
    options.minor = minor;
    options.driver = driver;
}
// How many devices there are, all of which this process sees.
EXPORTED void simt_devices(int count) {
    options.devices.clear();
    for (int i = 0; i < count; i++) options.devices.push_back(i);
}
// 0 launches, 1 launches of graphs, 2 copies, 3 matrix products, 4 switches of fibers, 5 threads run.
EXPORTED long simt_counter(int which) {
    const long *all = &counters.launches;
    return which < 0 || which > 5 ? -1 : all[which];
}
EXPORTED int simt_is_check() {
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
EXPORTED int simt_enqueue_product(void *handle, std::function<void()> *work) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    counters.products++;
    return enqueue(s, *work);
}
EXPORTED int simt_touch(const void *p, size_t size, int write, const char *who) {
    auto address = (uintptr_t) p;
    if (!checkRange(address, size, who)) return sticky = ILLEGAL_ADDRESS;
    if (const char *unordered = unorderedTransfer(p, size, write != 0)) {
        report("%s: %s", who, unordered);
        return sticky = LAUNCH_FAILED;
    }
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

// For the stand-in of NCCL.
EXPORTED int simt_enqueue_transfer(void *handle, std::function<bool()> *attempt, const std::vector<Range> *ranges) {
    ENTER;
    Stream *s = stream(handle);
    if (s == nullptr) return INVALID_HANDLE;
    for (const Range &range : *ranges) {
        if (!checkRange((uintptr_t) range.p, range.size, range.who)) return INVALID_VALUE;
    }
    return enqueueTransfer(s, *attempt, *ranges);
}
// Ends all work with an error that sticks, and says why.
EXPORTED void simt_break(int error, const char *why) {
    report("%s", why);
    sticky = error;
}
// The number in the machine of the device whose primary context is current; -1 where another context is, or none.
EXPORTED int simt_primary_device() {
    ENTER;
    int device = primaryDevice();
    return device < 0 ? -1 : options.devices[(size_t) device];
}
