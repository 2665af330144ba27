#include "module.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace simt {

std::set<Module *> modules;

namespace {

std::map<std::string, Kernel> &table() {
    static std::map<std::string, Kernel> kernels;
    return kernels;
}

// The number after `key` in text[from, to), or `otherwise`.
long number(const std::string &text, const std::string &key, size_t from, size_t to, long otherwise) {
    size_t at = text.find(key, from);
    return at == std::string::npos || at >= to ? otherwise : strtol(text.c_str() + at + key.size(), nullptr, 10);
}

size_t typeSize(const std::string &type) {
    size_t digits = type.find_first_of("0123456789");
    return digits == std::string::npos ? 0 : (size_t) atoi(type.c_str() + digits) / 8;
}

// `.param .u64 name` or `.param .align 8 .b8 name[24]`
size_t parameterSize(const std::string &line) {
    char type[16] = "", rest[200] = "";
    int align;
    if (sscanf(line.c_str(), " .param .align %d .%15s %199s", &align, type, rest) != 3
        && sscanf(line.c_str(), " .param .%15s %199s", type, rest) != 2) {
        return 0;
    }
    size_t each = typeSize(type);
    const char *bracket = strchr(rest, '[');
    return bracket == nullptr ? each : each * strtoul(bracket + 1, nullptr, 10);
}

void readEntry(const std::string &ptx, size_t at, Module &module) {
    size_t open = ptx.find('(', at), close = ptx.find(')', open), body = ptx.find('{', close), end = ptx.find("\n}", body);
    std::string name = ptx.substr(at, open - at);
    name.erase(std::remove_if(name.begin(), name.end(), isspace), name.end());
    Function f = {};
    f.kernel = findKernel(name);
    f.maxThreads = (int) number(ptx, ".maxntid ", close, body, 1024);
    for (size_t p = open; (p = ptx.find(".param", p)) != std::string::npos && p < close; p++) {
        f.parameterSizes.push_back(parameterSize(ptx.substr(p, ptx.find('\n', p) - p)));
    }
    for (size_t p = body; (p = ptx.find(".shared .align", p)) != std::string::npos && p < end; p++) {
        size_t bracket = ptx.find_first_of("[;", p);
        size_t each = typeSize(ptx.substr(ptx.find(" .", p + 10), 6));
        f.staticShared += ptx[bracket] == '[' ? each * strtoul(ptx.c_str() + bracket + 1, nullptr, 10) : each;
    }
    module.functions[name] = f;
}

int readPtx(const std::string &ptx, Module &module) {
    int major = 0, minor = 0, sm = 0;
    size_t version = ptx.find("\n.version "), target = ptx.find("\n.target sm_");
    if (ptx.rfind(".version ", 0) == 0) sscanf(ptx.c_str(), ".version %d.%d", &major, &minor);
    else if (version != std::string::npos) sscanf(ptx.c_str() + version, "\n.version %d.%d", &major, &minor);
    if (target == std::string::npos || major == 0) return INVALID_IMAGE;
    sscanf(ptx.c_str() + target, "\n.target sm_%d", &sm);
    // PTX 7.0 came with CUDA 11.0, 8.0 with 12.0, 9.0 with 13.0; each minor release took one further.
    int known = options.driver < 11000 ? 65 : 10 * (options.driver / 1000 - 4) + std::min(options.driver % 1000 / 10, 9);
    if (10 * major + minor > known) {
        report("PTX %d.%d is newer than the driver's %d.%d", major, minor, known / 10, known % 10);
        return UNSUPPORTED_PTX_VERSION;
    }
    if (sm > 10 * options.major + options.minor) {
        report("PTX for sm_%d on a device of sm_%d%d", sm, options.major, options.minor);
        return NO_BINARY_FOR_GPU;
    }
    for (size_t at = 0; (at = ptx.find(".entry ", at)) != std::string::npos; at++) readEntry(ptx, at + 7, module);
    return SUCCESS;
}

}  // namespace

Registration::Registration(const Kernel &kernel) {
    table()[kernel.name] = kernel;
}

const Kernel *findKernel(const std::string &name) {
    auto entry = table().find(name);
    return entry == table().end() ? nullptr : &entry->second;
}

size_t sharedOptIn() {
    switch (10 * options.major + options.minor) {
    case 80: case 87: return 163 << 10;
    case 86: case 89: case 120: return 99 << 10;
    default: return 227 << 10;
    }
}

// PTX text, a cubin or a fatbin; or "SIMT", by which tests of the stand-in get kernels that no image has.
int loadModule(const char *image, Module *&module) {
    static const unsigned char fatbin[4] = {0x50, 0xED, 0x55, 0xBA};
    auto loaded = std::make_unique<Module>();
    if (memcmp(image, "\x7F" "ELF", 4) != 0 && memcmp(image, fatbin, 4) != 0 && memcmp(image, "SIMT", 4) != 0) {
        loaded->isPtx = true;
        int result = readPtx(image, *loaded);
        if (result != SUCCESS) return result;
    }
    module = loaded.release();
    modules.insert(module);
    return SUCCESS;
}

int findFunction(Module *module, const char *name, Function *&function) {
    auto entry = module->functions.find(name);
    if (entry == module->functions.end()) {
        const Kernel *kernel = findKernel(name);
        if (module->isPtx || kernel == nullptr) return NOT_FOUND;
        Function f = {};
        f.kernel = kernel;
        f.maxThreads = 1024;
            f.staticShared = (size_t) (kernel->sharedEnd - kernel->shared);
        entry = module->functions.emplace(name, f).first;
    }
    Function &f = entry->second;
    if (f.kernel == nullptr) {
        report("%s is in the PTX but not in the stand-in: is CALM_KERNEL(%s) missing, or one of them older than the sources?", name, name);
        return NOT_FOUND;
    }
    std::vector<size_t> sizes(f.kernel->sizes, f.kernel->sizes + f.kernel->count);
    if (module->isPtx && f.parameterSizes != sizes) {
        report("%s: its parameters in the PTX are others than in the stand-in: one of them is older than the sources", name);
        return NOT_FOUND;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < f.kernel->count; i++) {
        size_t alignment = f.kernel->alignments[i];
        bytes = (bytes + alignment - 1) / alignment * alignment + f.kernel->sizes[i];
    }
    f.parameters = bytes;
    function = &f;
    return SUCCESS;
}

}  // namespace simt
