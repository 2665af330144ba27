// A libcublas.so.12 for machines that have another one: JCuda asks for that name and version, CUDA 13 brings libcublas.so.13 with the same
// functions. Each call jumps to the function of that name; one that is not there answers CUBLAS_STATUS_NOT_SUPPORTED. Loaded before JCuda.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

extern const char *const calm_names[];  // generated, see trampolines.sh
extern void *calm_slots[];

static const char *const candidates[] = {
    "libcublas.so.13", "/usr/local/cuda/lib64/libcublas.so.13", "/usr/local/cuda-13.0/lib64/libcublas.so.13", NULL};
static const char *found;

static int notSupported(void) {
    return 15;
}

// The library that calls go to; null where there is none.
const char *calm_cublas(void) {
    return found;
}

__attribute__((constructor)) static void resolve(void) {
    void *library = NULL;
    for (int i = 0; candidates[i] != NULL && library == NULL; i++) {
        library = dlopen(candidates[i], RTLD_NOW | RTLD_LOCAL);
        if (library != NULL) found = candidates[i];
    }
    for (size_t i = 0; calm_names[i] != NULL; i++) {
        void *function = library == NULL ? NULL : dlsym(library, calm_names[i]);
        calm_slots[i] = function != NULL ? function : (void *) notSupported;
    }
}
