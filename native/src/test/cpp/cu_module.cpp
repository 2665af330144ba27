// Modules and launches.
#include "driver.h"

#include <algorithm>

using namespace simt;

namespace {

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
    if (block.x > 1024 || block.y > 1024 || block.z > 64 || threads > 1024) {
        return refuse(INVALID_VALUE, std::to_string(threads) + " threads in a block");
    }
    if (grid.x > 0x7FFFFFFF || grid.y > 65535 || grid.z > 65535) return refuse(INVALID_VALUE, "a grid too large");
    if ((int) threads > f->maxThreads) {
        return refuse(LAUNCH_OUT_OF_RESOURCES,
            std::to_string(threads) + " threads, __launch_bounds__ says " + std::to_string(f->maxThreads));
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
            return refuse(INVALID_VALUE,
                "a buffer of " + std::to_string(size) + " bytes for parameters of " + std::to_string(f->parameters));
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

}  // namespace

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
API cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
    void *handle,
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
