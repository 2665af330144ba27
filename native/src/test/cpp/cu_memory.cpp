// Memory of the device and of the host, and copies.
#include "driver.h"

using namespace simt;

namespace {

int copy(void *to, const void *from, size_t size, bool toDevice, bool fromDevice, const char *who) {
    if (toDevice && !checkRange((uintptr_t) to, size, who)) return ILLEGAL_ADDRESS;
    if (fromDevice && !checkRange((uintptr_t) from, size, who)) return ILLEGAL_ADDRESS;
    counters.copies++;
    const char *unordered = toDevice ? unorderedTransfer(to, size, true) : nullptr;
    if (unordered == nullptr && fromDevice) unordered = unorderedTransfer(from, size, false);
    if (unordered != nullptr) {
        report("%s: %s", who, unordered);
        return LAUNCH_FAILED;
    }
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
    if (const char *unordered = unorderedTransfer((void *) to, width * count, true)) {
        report("%s: %s", who, unordered);
        return LAUNCH_FAILED;
    }
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

}  // namespace

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
