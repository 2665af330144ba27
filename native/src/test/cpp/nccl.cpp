// libnccl.so.2 for the stand-in: transfers between processes of one machine, through memory that they share, queued like launches. What is queued
// together moves together, a piece at a time; a transfer whose other side does not come is reported after a while, as is one of another size.
#include "state.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <set>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

extern "C" {
int simt_enqueue_transfer(void *stream, std::function<bool()> *attempt, const std::vector<simt::Range> *ranges);
int simt_touch(const void *p, size_t size, int write, const char *who);
void simt_break(int error, const char *why);
int simt_primary_device();
}

namespace {

enum Status { SUCCESS = 0, SYSTEM_ERROR = 2, INTERNAL_ERROR = 3, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, REMOTE_ERROR = 6 };
enum : size_t { MOST_RANKS = 16, PIECE = 64 << 10, MOST_TEXT = 300 };

double seconds = getenv("SIMT_NCCL_SECONDS") == nullptr ? 100 : atof(getenv("SIMT_NCCL_SECONDS"));

struct Id {
    char name[128];
};

// From one rank to another: a piece of a message of `total` bytes.
struct Box {
    std::atomic<int> full;
    size_t total, length;
    char data[PIECE];
};
struct Shared {
    std::atomic<int> here, broken;
    int size[MOST_RANKS], device[MOST_RANKS];
    pid_t process[MOST_RANKS];
    char why[MOST_TEXT];
    Box boxes[MOST_RANKS][MOST_RANKS];
};

struct Communicator {
    Shared *shared;
    int rank, size;
    std::atomic<int> error{SUCCESS};
    std::atomic<bool> aborted{false};
};

struct Part {
    Communicator *communicator;
    void *stream;
    bool send;
    char *p;
    size_t bytes, moved;
    int peer;
    const char *who() const { return send ? "ncclSend" : "ncclRecv"; }
};

std::set<Communicator *> communicators;
std::mutex guard;
thread_local int depth;
thread_local std::vector<Part> group;
thread_local char lastError[MOST_TEXT];

double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

int refuse(int status, const std::string &why) {
    snprintf(lastError, sizeof lastError, "%s", why.c_str());
    fprintf(stderr, "[stand-in] %s\n", lastError);
    return status;
}

std::string describe(const Part &part) {
    return std::string(part.who()) + " of " + std::to_string(part.bytes) + " bytes on rank " + std::to_string(part.communicator->rank)
        + (part.send ? " to " : " from ") + std::to_string(part.peer);
}

void fail(const Part &part, int error, int sticks, const std::string &why) {
    Communicator &c = *part.communicator;
    snprintf(c.shared->why, sizeof c.shared->why, "%s", why.c_str());
    c.shared->broken = 1;
    c.error = error;
    simt_break(sticks, why.c_str());
}

// Whether it moved.
bool move(Part &part) {
    Shared &shared = *part.communicator->shared;
    int rank = part.communicator->rank;
    Box &box = part.send ? shared.boxes[rank][part.peer] : shared.boxes[part.peer][rank];
    if (box.full.load(std::memory_order_acquire) == part.send) return false;
    size_t length = part.send ? std::min<size_t>(PIECE, part.bytes - part.moved) : box.length;
    if (!part.send && box.total != part.bytes) {
        fail(part, INTERNAL_ERROR, simt::LAUNCH_FAILED, describe(part) + ": " + std::to_string(box.total) + " were sent");
        return false;
    }
    if (simt_touch(part.p + part.moved, length, !part.send, part.who()) != 0) {
        part.communicator->error = INTERNAL_ERROR;
        return false;
    }
    if (part.send) {
        box.total = part.bytes;
        box.length = length;
        memcpy(box.data, part.p + part.moved, length);
    } else {
        memcpy(part.p + part.moved, box.data, length);
    }
    part.moved += length;
    box.full.store(part.send, std::memory_order_release);
    return true;
}

// Takes all parts of a group further; whether they are done, or never will be.
bool attempt(std::vector<Part> &parts, double &since) {
    bool moved = false;
    const Part *open = nullptr;
    for (Part &part : parts) {
        while (part.moved < part.bytes && part.communicator->error == SUCCESS && move(part)) moved = true;
        if (part.moved < part.bytes && open == nullptr) open = &part;
    }
    if (open == nullptr || open->communicator->aborted) return true;
    Communicator &c = *open->communicator;
    if (c.error == SYSTEM_ERROR || c.error == INTERNAL_ERROR) return true;
    if (moved || since == 0) since = now();
    if (c.error == SUCCESS && c.shared->broken) {
        fail(*open, REMOTE_ERROR, simt::LAUNCH_FAILED, std::string("another rank failed: ") + c.shared->why);
        return true;
    }
    // As on a card, the host learns it, and the stream waits until the communicator is aborted.
    if (kill(c.shared->process[open->peer], 0) != 0 && errno == ESRCH) c.error = REMOTE_ERROR;
    if (now() - since > seconds) {
        fail(*open, REMOTE_ERROR, simt::LAUNCH_TIMEOUT, describe(*open) + ": the other side did not come within "
            + std::to_string((int) seconds) + " s");
        return true;
    }
    return false;
}

int endGroup() {
    std::vector<Part> all;
    all.swap(group);
    while (!all.empty()) {
        auto parts = std::make_shared<std::vector<Part>>();
        void *stream = all.front().stream;
        std::vector<simt::Range> ranges;
        std::erase_if(all, [&](const Part &part) {
            if (part.stream != stream) return false;
            parts->push_back(part);
            ranges.push_back({part.p, part.bytes, !part.send, part.who()});
            return true;
        });
        auto since = std::make_shared<double>(0);
        std::function<bool()> work = [parts, since] { return attempt(*parts, *since); };
        int result = simt_enqueue_transfer(stream, &work, &ranges);
        if (result != simt::SUCCESS) return refuse(INVALID_USAGE, "a transfer was not taken: CUDA error " + std::to_string(result));
    }
    return SUCCESS;
}

int add(bool send, const void *p, size_t count, int type, int peer, Communicator *c, void *stream) {
    static const size_t sizes[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2};
    {
        std::lock_guard<std::mutex> hold(guard);
        if (!communicators.count(c)) return refuse(INVALID_ARGUMENT, "not a communicator");
    }
    if (type < 0 || type > 9 || peer < 0 || peer >= c->size) return refuse(INVALID_ARGUMENT, "type or peer");
    if (c->error != SUCCESS) return refuse(c->error, "the communicator is broken");
    size_t bytes = count * sizes[type];
    if (bytes > 0) group.push_back({c, stream, send, (char *) p, bytes, 0, peer});
    return depth == 0 ? endGroup() : SUCCESS;
}

int join(Communicator *&joined, int size, Id id, int rank) {
    if (size < 1 || size > (int) MOST_RANKS || rank < 0 || rank >= size) return refuse(INVALID_ARGUMENT, "rank or number of ranks");
    if (depth > 0) return refuse(INVALID_USAGE, "ncclCommInitRank in a group is not in the stand-in");
    int device = simt_primary_device();
    if (device < 0) {
        // NCCL calls the CUDA runtime, which knows that one alone; memory of another context is not there for it.
        return refuse(INVALID_USAGE, "ncclCommInitRank: the current context is not the primary one of a device");
    }
    int file = shm_open(id.name, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof(Shared)) != 0) return refuse(SYSTEM_ERROR, "no shared memory");
    auto *shared = static_cast<Shared *>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    close(file);
    if (shared == MAP_FAILED) return refuse(SYSTEM_ERROR, "no shared memory");
    shared->size[rank] = size;
    shared->device[rank] = device;
    shared->process[rank] = getpid();
    shared->here++;
    double start = now();
    while (shared->here < size && now() - start < seconds) usleep(200);
    bool all = shared->here == size;
    // The first removes its name; who waited in vain may be another.
    if (rank == 0 || !all) shm_unlink(id.name);
    if (!all) {
        return refuse(REMOTE_ERROR, "ncclCommInitRank: of " + std::to_string(size) + " ranks " + std::to_string(shared->here) + " came within "
            + std::to_string((int) seconds) + " s");
    }
    for (int i = 0; i < size; i++) {
        if (shared->size[i] != size) return refuse(INVALID_ARGUMENT, "the ranks differ in their number");
        if (i != rank && shared->device[i] == device) {
            return refuse(INVALID_USAGE, "Duplicate GPU detected : rank " + std::to_string(rank) + " and rank " + std::to_string(i)
                + " both on CUDA device " + std::to_string(device));
        }
    }
    joined = new Communicator{shared, rank, size};
    std::lock_guard<std::mutex> hold(guard);
    communicators.insert(joined);
    return SUCCESS;
}

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int

API ncclGetVersion(int *version) {
    *version = getenv("SIMT_NCCL_VERSION") == nullptr ? 22105 : atoi(getenv("SIMT_NCCL_VERSION"));
    return SUCCESS;
}
API ncclGetUniqueId(Id *id) {
    static std::atomic<int> next;
    snprintf(id->name, sizeof id->name, "/calm4j-stand-in-nccl-%d-%d", (int) getpid(), next++);
    return SUCCESS;
}
API ncclCommInitRank(Communicator **communicator, int size, Id id, int rank) {
    *communicator = nullptr;
    return join(*communicator, size, id, rank);
}
// Work that waits for others ends; so it may be called while that runs.
API ncclCommAbort(Communicator *c) {
    std::lock_guard<std::mutex> hold(guard);
    if (communicators.erase(c) == 0) return INVALID_ARGUMENT;
    c->aborted = true;
    return SUCCESS;
}
API ncclCommGetAsyncError(Communicator *c, int *error) {
    std::lock_guard<std::mutex> hold(guard);
    if (!communicators.count(c)) return INVALID_ARGUMENT;
    *error = c->error;
    return SUCCESS;
}
API ncclGroupStart() {
    depth++;
    return SUCCESS;
}
API ncclGroupEnd() {
    if (depth == 0) return refuse(INVALID_USAGE, "the end of a group without its start");
    return --depth == 0 ? endGroup() : SUCCESS;
}
API ncclSend(const void *p, size_t count, int type, int peer, Communicator *c, void *stream) {
    return add(true, p, count, type, peer, c, stream);
}
API ncclRecv(void *p, size_t count, int type, int peer, Communicator *c, void *stream) {
    return add(false, p, count, type, peer, c, stream);
}
extern "C" __attribute__((visibility("default"))) const char *ncclGetErrorString(int error) {
    static const char *const names[] = {"no error", "unhandled cuda error", "unhandled system error", "internal error", "invalid argument",
        "invalid usage", "remote process exited or there was a network error"};
    return error < 0 || error > 6 ? "unknown result code" : names[error];
}
extern "C" __attribute__((visibility("default"))) const char *ncclGetLastError(Communicator *) {
    return lastError;
}
// For tests: as if the process of a rank had gone.
extern "C" __attribute__((visibility("default"))) void simt_nccl_lose(int rank) {
    std::lock_guard<std::mutex> hold(guard);
    // The largest number of a process is 2^22.
    for (Communicator *c : communicators) c->shared->process[rank] = 1 << 30;
}
// For tests: how long a transfer waits for its other side.
extern "C" __attribute__((visibility("default"))) void simt_nccl_seconds(double most) {
    seconds = most;
}
