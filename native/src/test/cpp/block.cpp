// One launch: its blocks one after the other, the threads of a block as fibers on this host thread. A fiber that ends goes on with the next
// thread on the same stack, so a kernel without barriers never switches. Barriers and shuffles are where fibers wait for each other.
#include "state.h"

#include <algorithm>
#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <sys/mman.h>

namespace simt {

uint3 thread, block;
dim3 blockSize, gridSize;
unsigned char *dynamicShared;

namespace {

constexpr int MAX_THREADS = 1024;
constexpr size_t STACK = 64 << 10, GUARD = 4096, SHARED = 256 << 10;

enum class State : unsigned char { FRESH, READY, AT_BARRIER, IN_WARP, LEFT };

struct Thread {
    void *sp;
    char *stack;
    State state;
    uint3 index;
    Site site;                          // where it waits
    AsyncCopies copies;
};

// Lanes of one warp that meet under one mask.
struct Meeting {
    unsigned mask, arrived;
    WarpAct act;
    Site site;
    void *lanes[32];
};

Thread threads[MAX_THREADS];
int order[MAX_THREADS];
int count;                              // threads of the block
int fresh;                              // next in `order` that has not started
int left, atBarrier, barrierSum, barrierResult;
Site barrierSite;
unsigned epoch, warpEpochs[MAX_THREADS / 32];
std::vector<Meeting> meetings[MAX_THREADS / 32];
std::vector<int> ready;                 // as a queue: first at `readyHead`
size_t readyHead;
int current;
void *hostSp;
std::vector<char *> stacks;
char *sharedMemory;
const Launch *launch;
unsigned blockNumber;
bool isRunning, deadlocked;
sigjmp_buf failed;

}  // namespace

// void simtSwitch(void **save, void *to): keeps what a function must keep, and goes on where `to` was saved.
extern "C" void simtSwitch(void **save, void *to);
asm(R"(
    .text
    .globl simtSwitch
    .hidden simtSwitch
    .type simtSwitch, @function
simtSwitch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmp *%rcx
    .size simtSwitch, .-simtSwitch
)");

namespace {

char *takeStack() {
    if (!stacks.empty()) {
        char *stack = stacks.back();
        stacks.pop_back();
        return stack;
    }
    void *p = mmap(nullptr, STACK + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fail(LAUNCH_OUT_OF_RESOURCES, "no memory for the stack of a fiber");
    mprotect(p, GUARD, PROT_NONE);
    return static_cast<char *>(p) + GUARD;
}

void fiberMain();

void makeReady(int t) {
    threads[t].state = State::READY;
    ready.push_back(t);
}

void resume(int t) {
    current = t;
    threads[t].state = State::READY;
    thread = threads[t].index;
    counters.switches++;
}

// A fresh thread on a stack of its own: its first switch enters fiberMain.
void prepare(int t) {
    Thread &next = threads[t];
    next.stack = takeStack();
    auto top = reinterpret_cast<void **>(next.stack + STACK);
    top[-1] = nullptr;                  // where fiberMain would return to; keeps the stack aligned as after a call
    top[-2] = reinterpret_cast<void *>(&fiberMain);
    for (int i = 3; i <= 8; i++) top[-i] = nullptr;
    next.sp = top - 8;
}

// The next thread to go: one that is ready, else one that has not started; -1 where all wait or have left.
int takeNext() {
    size_t waiting = ready.size() - readyHead;
    if (waiting > 0) {
        if (options.order == Order::RANDOM) {
            if (fresh < count && random(4) == 0) return order[fresh++];
            std::swap(ready[readyHead], ready[readyHead + random((unsigned) waiting)]);
        }
        int t = ready[readyHead++];
        if (readyHead == ready.size()) {
            ready.clear();
            readyHead = 0;
        }
        return t;
    }
    return fresh < count ? order[fresh++] : -1;
}

void wait() {
    int self = current, next = takeNext();
    void *to;
    if (next < 0) {
        deadlocked = true;
        to = hostSp;
    } else if (next == self) {
        resume(self);
        return;
    } else {
        if (threads[next].state == State::FRESH) prepare(next);
        resume(next);
        to = threads[next].sp;
    }
    simtSwitch(&threads[self].sp, to);
}

void leave() {
    Thread &self = threads[current];
    int lane = current % 32;
    for (const Meeting &meeting : meetings[current / 32]) {
        if (meeting.mask >> lane & 1) {
            fail(LAUNCH_FAILED, "%s:%d: lane %d of the mask %08x has left the kernel", meeting.site.file, meeting.site.line, lane,
                meeting.mask);
        }
    }
    // What comes then, comes into shared memory that may be another block's.
    if (!self.copies.copies.empty()) {
        fail(LAUNCH_FAILED, "leaves the kernel before %zu asynchronous copies that it began are there", self.copies.copies.size());
    }
    self.state = State::LEFT;
    left++;
}

void fiberMain() {
    for (;;) {
        launch->kernel->call(launch->arguments.data());
        leave();
        char *stack = threads[current].stack;
        int next = takeNext();
        if (next >= 0 && threads[next].state == State::FRESH) {
            threads[next].stack = stack;
            resume(next);
            continue;
        }
        stacks.push_back(stack);
        void *to = hostSp, *forget;
        if (next >= 0) {
            resume(next);
            to = threads[next].sp;
        } else {
            deadlocked = left < count;
        }
        simtSwitch(&forget, to);
    }
}

// All threads that wait at a barrier, by site.
std::string waitingText() {
    std::string text;
    std::vector<std::pair<Site, int>> sites;
    for (int t = 0; t < count; t++) {
        if (threads[t].state != State::AT_BARRIER && threads[t].state != State::IN_WARP) continue;
        auto same = std::find_if(sites.begin(), sites.end(), [&](auto &s) {
            return s.first.line == threads[t].site.line && strcmp(s.first.file, threads[t].site.file) == 0;
        });
        if (same == sites.end()) sites.push_back({threads[t].site, 1});
        else same->second++;
    }
    for (auto &[site, n] : sites) {
        text += std::string(site.file) + ":" + std::to_string(site.line) + ", " + std::to_string(n) + " of " + std::to_string(count);
        text += " threads wait; ";
    }
    return text + std::to_string(left) + " have left";
}

// After a failure fibers stand where they were; their stacks serve again.
void collectStacks() {
    for (int t = 0; t < count; t++) {
        if (threads[t].state != State::FRESH && threads[t].state != State::LEFT && threads[t].stack != nullptr) {
            if (std::find(stacks.begin(), stacks.end(), threads[t].stack) == stacks.end()) stacks.push_back(threads[t].stack);
        }
    }
}

void runBlock() {
    fresh = left = atBarrier = barrierSum = 0;
    epoch = 0;
    deadlocked = false;
    ready.clear();
    readyHead = 0;
    int warps = (count + 31) / 32;
    for (int w = 0; w < warps; w++) {
        meetings[w].clear();
        warpEpochs[w] = 0;
    }
    for (int t = 0; t < count; t++) {
        threads[t].state = State::FRESH;
        threads[t].copies.group = 0;
        threads[t].copies.copies.clear();
    }
    if (options.order == Order::RANDOM) {
        for (int i = count - 1; i > 0; i--) std::swap(order[i], order[random((unsigned) i + 1)]);
    }
    const Kernel &kernel = *launch->kernel;
    size_t aligned = (launch->shared + 15) & ~size_t{15};
    dynamicShared = reinterpret_cast<unsigned char *>(sharedMemory + SHARED - aligned);
    memset(dynamicShared, 0xFF, aligned);
    if (kernel.sharedEnd > kernel.shared) memset(kernel.shared, 0xFF, kernel.sharedEnd - kernel.shared);
    shadowBlock(dynamicShared, launch->shared, kernel.shared, kernel.sharedEnd - kernel.shared);

    int first = takeNext();
    prepare(first);
    resume(first);
    isRunning = true;
    simtSwitch(&hostSp, threads[first].sp);
    isRunning = false;
    if (deadlocked) {
        report("%s: deadlock in block (%u,%u,%u): %s", kernel.name, block.x, block.y, block.z, waitingText().c_str());
        sticky = LAUNCH_TIMEOUT;
        collectStacks();
    }
}

}  // namespace

bool running() {
    return isRunning;
}

AsyncCopies &asyncCopies() {
    return threads[current].copies;
}

Where where() {
    unsigned warp = (unsigned) current / 32;
    return {launch->kernel->name, block, thread, current, blockNumber, epoch, warpEpochs[warp]};
}

std::string whereText() {
    if (!isRunning) return "the host";
    char text[200];
    auto three = [](const uint3 &i, const dim3 &size) {
        std::string s = std::to_string(i.x);
        if (size.y > 1 || size.z > 1) s = "(" + s + "," + std::to_string(i.y) + "," + std::to_string(i.z) + ")";
        return s;
    };
    std::string b = three(block, gridSize), t = three(thread, blockSize);
    snprintf(text, sizeof text, "%s, block %s, thread %s", launch->kernel->name, b.c_str(), t.c_str());
    return text;
}

void fail(int error, const char *format, ...) {
    char text[1000];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    report("%s: %s", whereText().c_str(), text);
    sticky = error;
    if (!isRunning) abort();
    siglongjmp(failed, 1);
}

// For a fault in a kernel: called by the handler of signals.
[[noreturn]] void leaveAfterFault() {
    siglongjmp(failed, 2);
}

std::string faultText();

void run(const Launch &l) {
    if (sharedMemory == nullptr) {
        void *p = mmap(nullptr, SHARED + 2 * GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        sharedMemory = static_cast<char *>(p) + GUARD;
        mprotect(p, GUARD, PROT_NONE);
        mprotect(sharedMemory + SHARED, GUARD, PROT_NONE);
    }
    launch = &l;
    blockSize = l.block;
    gridSize = l.grid;
    count = (int) (l.block.x * l.block.y * l.block.z);
    for (int t = 0; t < count; t++) {
        order[t] = options.order == Order::REVERSE ? count - 1 - t : t;
        threads[t].index = {t % l.block.x, t / l.block.x % l.block.y, t / l.block.x / l.block.y};
        threads[t].stack = nullptr;
    }
    counters.launches++;
    shadowLaunch();
    unsigned long blocks = (unsigned long) l.grid.x * l.grid.y * l.grid.z;
    counters.threads += (long) blocks * count;
    int how = sigsetjmp(failed, 1);
    if (how == 0) {
        for (unsigned long i = 0; i < blocks && sticky == 0; i++) {
            unsigned long b = options.order == Order::REVERSE ? blocks - 1 - i : i;
            block = {(unsigned) (b % l.grid.x), (unsigned) (b / l.grid.x % l.grid.y), (unsigned) (b / l.grid.x / l.grid.y)};
            blockNumber = (unsigned) b;
            runBlock();
        }
    } else {
        if (how == 2) {
            report("%s: %s", whereText().c_str(), faultText().c_str());
            sticky = ILLEGAL_ADDRESS;
        }
        isRunning = false;
        collectStacks();
    }
    if (sticky == 0 && !canariesWhole(l.kernel->name)) sticky = ILLEGAL_ADDRESS;
}

bool isSharedGuard(uintptr_t p) {
    auto end = reinterpret_cast<uintptr_t>(sharedMemory) + SHARED;
    return p >= end && p < end + GUARD;
}

bool isStackGuard(uintptr_t p) {
    return isRunning && threads[current].stack != nullptr && p < reinterpret_cast<uintptr_t>(threads[current].stack)
        && p >= reinterpret_cast<uintptr_t>(threads[current].stack) - GUARD;
}

// ---- what kernels call ----

int syncThreadsSum(int mine, Site site) {
    Thread &self = threads[current];
    if (atBarrier > 0 && (site.line != barrierSite.line || strcmp(site.file, barrierSite.file) != 0)) {
        fail(LAUNCH_FAILED, "a barrier at %s:%d while %d threads wait at the one at %s:%d",
             site.file, site.line, atBarrier, barrierSite.file, barrierSite.line);
    }
    barrierSite = self.site = site;
    barrierSum += mine;
    self.state = State::AT_BARRIER;
    if (++atBarrier == count) {
        epoch++;
        barrierResult = barrierSum;
        atBarrier = barrierSum = 0;
        for (int i = 0; i < count; i++) makeReady(order[i]);
    }
    wait();
    return barrierResult;
}

void syncThreads(Site site) {
    syncThreadsSum(0, site);
}

void syncWarp(unsigned mask, void *mine, WarpAct act, Site site) {
    int warp = current / 32, lane = current % 32;
    Thread &self = threads[current];
    if (!(mask >> lane & 1)) {
        fail(LAUNCH_FAILED, "%s:%d: the mask %08x does not name lane %d, which calls", site.file, site.line, mask, lane);
    }
    int lanes = std::min(32, count - 32 * warp);
    std::vector<Meeting> &all = meetings[warp];
    auto meeting = std::find_if(all.begin(), all.end(), [&](auto &m) { return m.mask == mask; });
    if (meeting == all.end()) {
        for (int l = 0; l < 32; l++) {
            if (!(mask >> l & 1)) continue;
            if (l >= lanes) {
                fail(LAUNCH_FAILED, "%s:%d: the mask %08x names lane %d, which the block has not", site.file, site.line, mask, l);
            }
            if (threads[32 * warp + l].state == State::LEFT) {
                fail(LAUNCH_FAILED, "%s:%d: lane %d of the mask %08x has left the kernel", site.file, site.line, l, mask);
            }
        }
        all.push_back({mask, 0, act, site, {}});
        meeting = all.end() - 1;
    } else if (meeting->act != act || meeting->site.line != site.line || strcmp(meeting->site.file, site.file) != 0) {
        fail(LAUNCH_FAILED, "%s:%d: lanes of the mask %08x wait at %s:%d", site.file, site.line, mask, meeting->site.file,
            meeting->site.line);
    }
    meeting->arrived |= 1u << lane;
    meeting->lanes[lane] = mine;
    self.site = site;
    self.state = State::IN_WARP;
    if (meeting->arrived == mask) {
        if (act != nullptr) act(meeting->lanes, mask);
        else warpEpochs[warp]++;
        all.erase(meeting);
        for (int l = 0; l < 32; l++) {
            int t = 32 * warp + (options.order == Order::REVERSE ? 31 - l : l);
            if (mask >> (t % 32) & 1) makeReady(t);
        }
    }
    wait();
}

}  // namespace simt
