// A loaded module: the kernels that its image has, with what the image says of them.
#pragma once

#include "state.h"

#include <map>
#include <set>

namespace simt {

struct Function {
    const Kernel *kernel;
    int maxThreads = 1024;              // __launch_bounds__, from PTX
    size_t staticShared = 0;
    size_t optedShared = 0;             // dynamic shared memory beyond 48 KiB in all that the program opted in to
    size_t parameters = 0;
    std::vector<size_t> parameterSizes; // from PTX
};

struct Module {
    bool isPtx = false;                 // else any registered kernel is found in it
    std::map<std::string, Function> functions;
};

extern std::set<Module *> modules;
int loadModule(const char *image, Module *&module);
int findFunction(Module *module, const char *name, Function *&function);
// Bytes of shared memory that a block may have after opting in, on the device that is stood in for.
size_t sharedOptIn();

}  // namespace simt
