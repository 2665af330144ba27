// Reports, and what happens when a kernel or a copy touches memory that is not there: our handler of SIGSEGV answers only while work runs;
// every other fault goes to the handler that was there before, which under Java is the JVM's.
#include "state.h"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

namespace simt {

std::recursive_mutex lock;
int sticky;
Counters counters;
bool isSharedGuard(uintptr_t p);
bool isStackGuard(uintptr_t p);
[[noreturn]] void leaveAfterFault();

namespace {

std::string lastReport;
std::vector<std::string> reports;
struct sigaction before[2];
volatile bool watching;
pthread_t watched;
sigjmp_buf hostFailed;
volatile uintptr_t faultAddress;
const void *volatile faultPc;

void handle(int signal, siginfo_t *info, void *context) {
    if (watching && pthread_equal(watched, pthread_self())) {
        faultAddress = reinterpret_cast<uintptr_t>(info->si_addr);
        faultPc = reinterpret_cast<void *>(static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP]);
        if (running()) leaveAfterFault();
        siglongjmp(hostFailed, 1);
    }
    const struct sigaction &old = before[signal == SIGBUS];
    if (old.sa_flags & SA_SIGINFO) {
        old.sa_sigaction(signal, info, context);
    } else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) {
        old.sa_handler(signal);
    } else {
        sigaction(signal, &old, nullptr);
    }
}

Options fromEnvironment() {
    Options o;
    auto number = [](const char *name, unsigned long long otherwise) {
        const char *text = getenv(name);
        return text == nullptr || *text == 0 ? otherwise : strtoull(text, nullptr, 0);
    };
    if (const char *text = getenv("SIMT_ORDER")) {
        if (strcmp(text, "reverse") == 0) o.order = Order::REVERSE;
        if (strcmp(text, "random") == 0) {
            o.order = Order::RANDOM;
            timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            o.seed = number("SIMT_SEED", (unsigned long long) now.tv_nsec ^ (unsigned long long) now.tv_sec);
            fprintf(stderr, "[stand-in] random order, SIMT_SEED=%llu\n", o.seed);
        }
    }
    o.memory = number("SIMT_MEMORY", o.memory);
    unsigned long long sm = number("SIMT_SM", 90);
    o.major = (int) (sm / 10);
    o.minor = (int) (sm % 10);
    o.multiprocessors = (int) number("SIMT_MULTIPROCESSORS", o.multiprocessors);
    o.driver = (int) number("SIMT_DRIVER", o.driver);
    o.devices.clear();
    for (int i = 0; i < (int) number("SIMT_DEVICES", 1); i++) o.devices.push_back(i);
    // Numbers, as launchers of clusters give them.
    if (const char *text = getenv("CUDA_VISIBLE_DEVICES")) {
        std::vector<int> visible;
        for (char *end; *text != 0; text = *end == ',' ? end + 1 : end) {
            int device = (int) strtol(text, &end, 10);
            if (end == text || device < 0 || device >= (int) o.devices.size()) break;
            visible.push_back(device);
        }
        o.devices = visible;
    }
    return o;
}

}  // namespace

Options options = fromEnvironment();

unsigned random(unsigned bound) {
    options.seed = options.seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned) ((options.seed >> 33) * bound >> 31);
}

void report(const char *format, ...) {
    char text[1500];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    reports.push_back(text);
    fprintf(stderr, "[stand-in] %s\n", text);
    fflush(stderr);
}

// All reports since the last reset, a line each.
const std::string &reported() {
    lastReport.clear();
    for (auto &r : reports) lastReport += r + "\n";
    return lastReport;
}

void clearReports() {
    reports.clear();
}

std::string place(const void *pc) {
    Dl_info info;
    if (pc == nullptr || dladdr(pc, &info) == 0) return "?";
    char text[600];
    auto offset = (size_t) ((const char *) pc - (const char *) info.dli_fbase);
    // The address is that of the instruction after the call.
    snprintf(text, sizeof text, "LD_LIBRARY_PATH= addr2line -s -e '%s' %#zx 2>/dev/null", info.dli_fname, offset - 1);
    std::string result;
    if (FILE *out = popen(text, "r")) {
        if (fgets(text, sizeof text, out) != nullptr) result = text;
        pclose(out);
    }
    while (!result.empty() && (result.back() == '\n' || result.back() == ' ')) result.pop_back();
    if (result.empty() || result[0] == '?') {
        snprintf(text, sizeof text, "%s+%#zx", info.dli_fname, offset);
        result = text;
    }
    return result.substr(0, result.find(" (discriminator"));
}

std::string faultText() {
    uintptr_t p = faultAddress;
    std::string at = place(static_cast<const char *>(faultPc) + 1);
    if (isStackGuard(p)) return "stack overflow at " + at;
    if (isSharedGuard(p)) return "out of bounds of dynamic shared memory at " + at;
    const Allocation *allocation = find(p);
    const char *what = allocation == nullptr ? "bad address" : allocation->live ? "out of bounds" : "use after free";
    return std::string(what) + ": " + describe(p) + " at " + at;
}

void installFaultHandler() {
    static bool installed;
    if (installed) return;
    installed = true;
    struct sigaction mine = {};
    mine.sa_sigaction = handle;
    mine.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&mine.sa_mask);
    sigaction(SIGSEGV, &mine, &before[0]);
    sigaction(SIGBUS, &mine, &before[1]);
}

bool guarded(const std::function<void()> &work, const char *who) {
    // The handler needs a stack of its own, for a fiber that overflowed its own.
    static void *alternative = mmap(nullptr, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t mine = {}, old;
    mine.ss_sp = alternative;
    mine.ss_size = 64 << 10;
    sigaltstack(&mine, &old);
    watched = pthread_self();
    bool whole = true;
    if (sigsetjmp(hostFailed, 1) == 0) {
        watching = true;
        work();
    } else {
        whole = false;
    }
    watching = false;
    sigaltstack(&old, nullptr);
    if (!whole) report("%s: %s", who, faultText().c_str());
    return whole;
}

}  // namespace simt
