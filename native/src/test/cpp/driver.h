// The functions of libcuda.so.1 that JCuda calls for us stand in cu_*.cpp, with the driver's own rules: what needs a context, what is
// refused while a stream is captured, what waits. Their prototypes are written there, since a machine without a GPU has no cuda.h; all
// other functions are generated as weak stubs. Here is what each begins with, and what several of them need.
#pragma once

#include "module.h"
#include "stream.h"

namespace simt {

// The lock, and why the call cannot be made: no cuInit, the error that sticks, no context on this thread.
struct Entry {
    std::lock_guard<std::recursive_mutex> guard{lock};
    int error;
    explicit Entry(bool needsContext = true);
};

// What is alive, as text; false where nothing is.
bool leaks(std::string &text);
// What was still there when contexts ended.
std::string &leftByContexts();
void forgetEverything();
long attribute(int key);
// Whose primary context is current on this thread; -1 where another context is, or none.
int primaryDevice();

const std::string &reported();
void clearReports();

}  // namespace simt

#define EXPORTED extern "C" __attribute__((visibility("default")))
#define API EXPORTED int
#define ENTER                                    \
    simt::Entry entry;                           \
    if (entry.error != simt::SUCCESS) return entry.error
#define ENTER_WITHOUT_CONTEXT                    \
    simt::Entry entry{false};                    \
    if (entry.error != simt::SUCCESS) return entry.error
