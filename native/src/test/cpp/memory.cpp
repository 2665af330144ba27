// The device's memory: each allocation is a mapping of its own between pages that nobody may touch, its end as near to the next guard as
// 256-byte alignment allows, filled with 0xFF (a NaN as F32 and BF16, -1 as integer). Addresses are never used twice, so freed ones stay
// known.
#include "state.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <sys/mman.h>

namespace simt {

uintptr_t arenaStart, arenaEnd;

namespace {

constexpr size_t PAGE = 4096, ALIGNMENT = 256, HEAD = 64, KEPT_FREED = 100000;
#ifdef SIMT_CHECK
constexpr size_t ARENA = 64ull << 30;   // the shadow of access.cpp is some 40 times as large
#else
constexpr size_t ARENA = 1ull << 40;
#endif
// Behind an allocation, up to the guard, and for HEAD bytes before it. As F32 and as BF16 it is NaN, and other than what memory is filled
// with.
constexpr unsigned char TAIL[4] = {0xFF, 0xFF, 0xC7, 0xFF};

std::map<uintptr_t, Allocation> live, freed;      // by start of the mapping
std::map<uintptr_t, std::pair<size_t, bool>> pinned;
uintptr_t nextMapping;
size_t inUse;
long serial;

size_t roundUp(size_t x, size_t to) {
    return (x + to - 1) / to * to;
}

}  // namespace

bool isDevice(const void *p) {
    auto address = reinterpret_cast<uintptr_t>(p);
    return address >= arenaStart && address < arenaEnd;
}

const Allocation *find(uintptr_t p) {
    for (const auto *all : {&live, &freed}) {
        auto next = all->upper_bound(p);
        if (next == all->begin()) continue;
        const Allocation &before = std::prev(next)->second;
        if (p < before.mapping + before.mapped + PAGE) return &before;
    }
    return nullptr;
}

int allocate(size_t size, uintptr_t &address) {
    if (size == 0) return INVALID_VALUE;
    if (size > options.memory || inUse + size > options.memory) return OUT_OF_MEMORY;
    if (arenaStart == 0) {
        void *p = mmap(nullptr, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) return OUT_OF_MEMORY;
        madvise(p, ARENA, MADV_DONTDUMP);
        arenaStart = reinterpret_cast<uintptr_t>(p);
        arenaEnd = arenaStart + ARENA;
        nextMapping = arenaStart + PAGE;
    }
    size_t mapped = roundUp(size, PAGE);
    if (nextMapping + mapped + PAGE > arenaEnd) {
        report("the stand-in never uses an address twice, and all %zu GiB of them are used", ARENA >> 30);
        return OUT_OF_MEMORY;
    }
    auto memory = reinterpret_cast<void *>(nextMapping);
    if (mprotect(memory, mapped, PROT_READ | PROT_WRITE) != 0) return OUT_OF_MEMORY;
    address = nextMapping + mapped - roundUp(size, ALIGNMENT);
    memset(reinterpret_cast<void *>(address), 0xFF, size);
    auto *bytes = reinterpret_cast<unsigned char *>(address);
    for (size_t i = size; address + i < nextMapping + mapped; i++) bytes[i] = TAIL[i % 4];
    for (size_t i = 1; i <= HEAD && address - i >= nextMapping; i++) bytes[-(long) i] = TAIL[i % 4];
    live[nextMapping] = {address, size, nextMapping, mapped, true, ++serial};
    nextMapping += mapped + PAGE;
    inUse += size;
    shadowAllocated(address, size);
    return SUCCESS;
}

int release(uintptr_t address) {
    const Allocation *found = find(address);
    if (found == nullptr || found->address != address) {
        report("free of an address that was never allocated");
        return INVALID_VALUE;
    }
    if (!found->live) {
        report("double free of an allocation of %zu bytes", found->size);
        return INVALID_VALUE;
    }
    bool whole = canariesWhole("free");
    Allocation allocation = *found;
    live.erase(allocation.mapping);
    auto memory = reinterpret_cast<void *>(allocation.mapping);
    mprotect(memory, allocation.mapped, PROT_NONE);
    madvise(memory, allocation.mapped, MADV_DONTNEED);
    inUse -= allocation.size;
    shadowFreed(allocation.address, allocation.size);
    if (freed.size() == KEPT_FREED) freed.clear();
    allocation.live = false;
    freed[allocation.mapping] = allocation;
    return whole ? SUCCESS : ILLEGAL_ADDRESS;
}

size_t memoryInUse() {
    return inUse;
}

std::vector<Allocation> liveAllocations() {
    std::vector<Allocation> all;
    for (auto &[mapping, allocation] : live) all.push_back(allocation);
    return all;
}

std::string describe(uintptr_t p) {
    char text[200];
    const Allocation *allocation = find(p);
    if (p < 4096) {
        snprintf(text, sizeof text, "a null pointer (%#zx)", (size_t) p);
    } else if (allocation != nullptr) {
        long offset = (long) (p - allocation->address);
        const char *which = allocation->live ? "the" : "a freed";
        snprintf(text, sizeof text, "byte %ld of %s allocation of %zu bytes", offset, which, allocation->size);
    } else if (isDevice(reinterpret_cast<void *>(p))) {
        snprintf(text, sizeof text, "%#zx, device memory that was never allocated", (size_t) p);
    } else {
        snprintf(text, sizeof text, "%#zx, which is not device memory", (size_t) p);
    }
    return text;
}

bool checkRange(uintptr_t p, size_t size, const char *who) {
    if (size == 0) return true;
    const Allocation *allocation = find(p);
    const char *wrong = nullptr;
    if (allocation == nullptr) wrong = "not device memory";
    else if (!allocation->live) wrong = "use after free";
    else if (p < allocation->address || p + size > allocation->address + allocation->size) wrong = "out of bounds";
    if (wrong == nullptr) return true;
    report("%s: %s: %zu bytes at %s", who, wrong, size, describe(p).c_str());
    return false;
}

bool canariesWhole(const char *who) {
    for (auto &[mapping, allocation] : live) {
        auto *bytes = reinterpret_cast<unsigned char *>(allocation.address);
        for (size_t i = allocation.size; allocation.address + i < mapping + allocation.mapped; i++) {
            if (bytes[i] == TAIL[i % 4]) continue;
            report("%s: out of bounds: byte %zu of the allocation of %zu bytes was written", who, i, allocation.size);
            bytes[i] = TAIL[i % 4];
            return false;
        }
        for (size_t i = 1; i <= HEAD && allocation.address - i >= mapping; i++) {
            if (bytes[-(long) i] == TAIL[i % 4]) continue;
            report("%s: out of bounds: byte -%zu of the allocation of %zu bytes was written", who, i, allocation.size);
            bytes[-(long) i] = TAIL[i % 4];
            return false;
        }
    }
    return true;
}

int hostAllocate(size_t size, void *&p, bool registered) {
    if (!registered) {
        if (size == 0) return INVALID_VALUE;
        p = mmap(nullptr, roundUp(size, PAGE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return OUT_OF_MEMORY;
        memset(p, 0xFF, size);
    }
    pinned[reinterpret_cast<uintptr_t>(p)] = {size, registered};
    return SUCCESS;
}

int hostRelease(void *p, bool registered) {
    auto entry = pinned.find(reinterpret_cast<uintptr_t>(p));
    if (entry == pinned.end() || entry->second.second != registered) {
        report("free of pinned memory that was never allocated, or twice");
        return INVALID_VALUE;
    }
    if (!registered) munmap(p, roundUp(entry->second.first, PAGE));
    pinned.erase(entry);
    return SUCCESS;
}

bool isPinned(const void *p) {
    auto next = pinned.upper_bound(reinterpret_cast<uintptr_t>(p));
    if (next == pinned.begin()) return false;
    auto &[start, what] = *std::prev(next);
    return reinterpret_cast<uintptr_t>(p) < start + what.first;
}

size_t hostAllocations() {
    return pinned.size();
}

void releaseAll() {
    for (const Allocation &allocation : liveAllocations()) release(allocation.address);
    while (!pinned.empty()) hostRelease(reinterpret_cast<void *>(pinned.begin()->first), pinned.begin()->second.second);
}

}  // namespace simt
