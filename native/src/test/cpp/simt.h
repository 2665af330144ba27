// What device.cuh is for g++: CUDA's words for kernels that run on the CPU, one block after the other, each thread a fiber.
// Threads of a block take turns only where they wait (barriers, shuffles), so this shows no timing, but block.cpp picks the order in which
// they go, memory.cpp what memory holds before it is written, and access.cpp (check build) watches every load and store.
#pragma once

#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static const

// Static shared memory of one source file lies in a section of its own, which each block finds filled with 0xFF.
#define SIMT_JOIN2(a, b) a##b
#define SIMT_JOIN(a, b) SIMT_JOIN2(a, b)
#define SIMT_TEXT2(a) #a
#define SIMT_TEXT(a) SIMT_TEXT2(a)
#ifndef SIMT_UNIT
#define SIMT_UNIT unnamed
#endif
#define __shared__ static __attribute__((section(SIMT_TEXT(SIMT_JOIN(simt_shared_, SIMT_UNIT)))))
extern "C" __attribute__((weak, visibility("hidden"))) char SIMT_JOIN(__start_simt_shared_, SIMT_UNIT)[];
extern "C" __attribute__((weak, visibility("hidden"))) char SIMT_JOIN(__stop_simt_shared_, SIMT_UNIT)[];

#define DYNAMIC_SHARED(type, name) type *const name = reinterpret_cast<type *>(simt::dynamicShared)

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct alignas(8) float2 { float x, y; };
struct float3 { float x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(4) ushort2 { unsigned short x, y; };
struct alignas(8) ushort4 { unsigned short x, y, z, w; };
struct alignas(16) longlong2 { long long x, y; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline double2 make_double2(double x, double y) { return {x, y}; }
static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline ushort2 make_ushort2(unsigned short x, unsigned short y) { return {x, y}; }
static inline ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z, unsigned short w) { return {x, y, z, w}; }

namespace simt {

extern uint3 thread, block;             // of the fiber that runs now
extern dim3 blockSize, gridSize;
extern unsigned char *dynamicShared;

// A place in the source, for reports.
struct Site {
    const char *file;
    int line;
};

void syncThreads(Site site);
// The block's threads meet; `combine` adds what each brought, and all get the sum (for __syncthreads_count and its kin).
int syncThreadsSum(int mine, Site site);

// The lanes of `mask` meet. The last one to come runs `act` once, on the arguments of all lanes of the mask; then all go on.
using WarpAct = void (*)(void *const lanes[32], unsigned mask);
void syncWarp(unsigned mask, void *mine, WarpAct act, Site site);

// Loads and stores that the compiler's hooks do not see, such as those of a copy on behalf of a thread; for the check build.
void touchRead(const void *p, size_t size);
void touchWrite(void *p, size_t size);
void requireAligned(const void *p, size_t alignment, const char *what, Site site);
[[noreturn]] void fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

void copyAsync(void *shared, const void *global, int bytes, Site site);
void copyAsyncCommit();
void copyAsyncWait(int groups);

struct Kernel {
    const char *name;
    const char *unit;
    void (*call)(void *const *arguments);
    const size_t *sizes, *alignments;   // of each argument
    size_t count;
    char *shared, *sharedEnd;           // static shared memory of the file
};
struct Registration {
    explicit Registration(const Kernel &kernel);
};

template <typename... A> struct Signature {
    static constexpr size_t sizes[sizeof...(A) + 1] = {sizeof(A)...};
    static constexpr size_t alignments[sizeof...(A) + 1] = {alignof(A)...};
};
template <auto F> struct Trampoline;
template <typename... A, void (*F)(A...)> struct Trampoline<F> {
    template <size_t... I> static void apply(void *const *arguments, std::index_sequence<I...>) {
        F(*static_cast<A *>(arguments[I])...);
    }
    static void call(void *const *arguments) { apply(arguments, std::index_sequence_for<A...>{}); }
    static Kernel kernel(const char *name, const char *unit, char *shared, char *sharedEnd) {
        return {name, unit, &call, Signature<A...>::sizes, Signature<A...>::alignments, sizeof...(A), shared, sharedEnd};
    }
};

template <typename T> struct Shuffle {
    T in, out;
    int source;                         // lane to read; out of range or not in the mask: own value
};
template <typename T> void shuffleAct(void *const lanes[32], unsigned mask) {
    for (int lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1)) continue;
        auto *to = static_cast<Shuffle<T> *>(lanes[lane]);
        auto *from = mask >> to->source & 1 ? static_cast<Shuffle<T> *>(lanes[to->source]) : nullptr;
        if (from == nullptr) fail(719, "shuffle: lane %d reads lane %d, which is not in the mask %08x", lane, to->source, mask);
        to->out = from->in;
    }
}
template <typename T> T shuffle(unsigned mask, T value, int source, Site site) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    Shuffle<T> mine{value, value, source};
    syncWarp(mask, &mine, &shuffleAct<T>, site);
    return mine.out;
}
struct Vote {
    bool in;
    unsigned out;
};
void voteAct(void *const lanes[32], unsigned mask);

struct Mma {
    float *d;
    const unsigned *a, *b;
};
void mmaAct(void *const lanes[32], unsigned mask);
struct LoadMatrix {
    unsigned *r;
    const void *row;
    int matrices;
    bool transposed;
};
void loadMatrixAct(void *const lanes[32], unsigned mask);

inline int lane() {
    return (int) (thread.x + blockSize.x * (thread.y + blockSize.y * thread.z)) & 31;
}

}  // namespace simt

#define CALM_KERNEL(name)                                                                                              \
    static const simt::Registration SIMT_JOIN(registered_, name)(simt::Trampoline<&name>::kernel(                      \
        #name, SIMT_TEXT(SIMT_UNIT), SIMT_JOIN(__start_simt_shared_, SIMT_UNIT), SIMT_JOIN(__stop_simt_shared_, SIMT_UNIT)));

#define threadIdx simt::thread
#define blockIdx simt::block
#define blockDim simt::blockSize
#define gridDim simt::gridSize
static constexpr int warpSize = 32;

#define SIMT_SITE simt::Site site = {__builtin_FILE(), __builtin_LINE()}

static inline void __syncthreads(SIMT_SITE) { simt::syncThreads(site); }
static inline int __syncthreads_count(int x, SIMT_SITE) { return simt::syncThreadsSum(x != 0, site); }
static inline int __syncthreads_or(int x, SIMT_SITE) { return simt::syncThreadsSum(x != 0, site) != 0; }
static inline int __syncthreads_and(int x, SIMT_SITE) { return simt::syncThreadsSum(x == 0, site) == 0; }
static inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, SIMT_SITE) { simt::syncWarp(mask, nullptr, nullptr, site); }
// Nothing runs at the same time, so a fence has nothing to order.
static inline void __threadfence() {}
static inline void __threadfence_block() {}

template <typename T> T __shfl_sync(unsigned mask, T x, int source, int width = 32, SIMT_SITE) {
    return simt::shuffle(mask, x, (simt::lane() & ~(width - 1)) + (source & (width - 1)), site);
}
template <typename T> T __shfl_xor_sync(unsigned mask, T x, int bits, int width = 32, SIMT_SITE) {
    int lane = simt::lane(), source = lane ^ bits;
    return simt::shuffle(mask, x, source / width > lane / width ? lane : source, site);
}
template <typename T> T __shfl_down_sync(unsigned mask, T x, int delta, int width = 32, SIMT_SITE) {
    int lane = simt::lane(), source = lane + delta;
    return simt::shuffle(mask, x, source / width != lane / width ? lane : source, site);
}
template <typename T> T __shfl_up_sync(unsigned mask, T x, int delta, int width = 32, SIMT_SITE) {
    int lane = simt::lane(), source = lane - delta;
    return simt::shuffle(mask, x, source < 0 || source / width != lane / width ? lane : source, site);
}
static inline unsigned __ballot_sync(unsigned mask, int x, SIMT_SITE) {
    simt::Vote mine{x != 0, 0};
    simt::syncWarp(mask, &mine, &simt::voteAct, site);
    return mine.out;
}
static inline int __any_sync(unsigned mask, int x, SIMT_SITE) {
    simt::Vote mine{x != 0, 0};
    simt::syncWarp(mask, &mine, &simt::voteAct, site);
    return mine.out != 0;
}
static inline int __all_sync(unsigned mask, int x, SIMT_SITE) {
    simt::Vote mine{x != 0, 0};
    simt::syncWarp(mask, &mine, &simt::voteAct, site);
    return mine.out == mask;
}

// Atomics are whole here, since one fiber runs at a time; the check build only looks at their bounds.
template <typename T> T simtAtomic(T *p) {
    simt::requireAligned(p, sizeof(T), "an atomic", {nullptr, 0});
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}
#define SIMT_ATOMIC(name, type, expression)                     \
    static inline type name(type *p, type x) {                  \
        type old = simtAtomic(p);                               \
        __atomic_store_n(p, (type) (expression), __ATOMIC_RELAXED); \
        return old;                                             \
    }
SIMT_ATOMIC(atomicAdd, int, old + x)
SIMT_ATOMIC(atomicAdd, unsigned, old + x)
SIMT_ATOMIC(atomicAdd, unsigned long long, old + x)
SIMT_ATOMIC(atomicMax, int, old > x ? old : x)
SIMT_ATOMIC(atomicMax, unsigned, old > x ? old : x)
SIMT_ATOMIC(atomicMax, unsigned long long, old > x ? old : x)
SIMT_ATOMIC(atomicMin, int, old < x ? old : x)
SIMT_ATOMIC(atomicMin, unsigned, old < x ? old : x)
SIMT_ATOMIC(atomicOr, unsigned, old | x)
SIMT_ATOMIC(atomicAnd, unsigned, old & x)
SIMT_ATOMIC(atomicExch, int, x)
SIMT_ATOMIC(atomicExch, unsigned, x)
#undef SIMT_ATOMIC

template <typename T> static inline T simtBits(auto x) {
    static_assert(sizeof(T) == sizeof x);
    T result;
    __builtin_memcpy(&result, &x, sizeof result);
    return result;
}
static inline float __uint_as_float(unsigned x) { return simtBits<float>(x); }
static inline unsigned __float_as_uint(float x) { return simtBits<unsigned>(x); }
static inline float __int_as_float(int x) { return simtBits<float>(x); }
static inline int __float_as_int(float x) { return simtBits<int>(x); }
static inline long long __double_as_longlong(double x) { return simtBits<long long>(x); }
static inline double __longlong_as_double(long long x) { return simtBits<double>(x); }

// glibc declares some of these names itself, hence defines.
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __exp2f(x) exp2f(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __powf(x, y) powf(x, y)
#define __tanhf(x) tanhf(x)
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline double __dmul_rn(double x, double y) { return x * y; }
static inline double __dadd_rn(double x, double y) { return x + y; }
static inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
static inline float __int2float_rn(int x) { return (float) x; }
static inline float __uint2float_rn(unsigned x) { return (float) x; }
static inline int __float2int_rn(float x) { return (int) rintf(x); }
static inline int __float2int_rd(float x) { return (int) floorf(x); }
static inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned) ((unsigned long long) x * y >> 32); }
static inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long) ((unsigned __int128) x * y >> 64);
}
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned) x); }
static inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long) x); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __brev(unsigned x) {
    unsigned result = 0;
    for (int bit = 0; bit < 32; bit++) result |= (x >> bit & 1) << (31 - bit);
    return result;
}
template <typename T> static inline T __ldg(const T *p) { return *p; }
template <typename T> static inline T __ldcs(const T *p) { return *p; }
template <typename T> static inline T __ldcg(const T *p) { return *p; }
template <typename T> static inline void __stcs(T *p, T x) { *p = x; }
template <typename T> static inline void __stcg(T *p, T x) { *p = x; }
#define SIMT_MINMAX(type)                                             \
    static inline type min(type x, type y) { return x < y ? x : y; } \
    static inline type max(type x, type y) { return x > y ? x : y; }
SIMT_MINMAX(int)
SIMT_MINMAX(unsigned)
SIMT_MINMAX(long)
SIMT_MINMAX(unsigned long)
SIMT_MINMAX(long long)
SIMT_MINMAX(unsigned long long)
#undef SIMT_MINMAX
static inline float min(float x, float y) { return fminf(x, y); }
static inline float max(float x, float y) { return fmaxf(x, y); }

// ---- the twins of device.cuh ----

struct alignas(2) bf16 {
    unsigned short bits;
};
struct alignas(2) f16 {
    unsigned short bits;
};
static inline float toFloat(float x) { return x; }
static inline float toFloat(bf16 x) { return __uint_as_float((unsigned) x.bits << 16); }
static inline float toFloat(f16 x) { return (float) simtBits<_Float16>(x.bits); }
static inline void fromFloat(float &to, float x) { to = x; }
static inline void fromFloat(bf16 &to, float x) {
    unsigned u = __float_as_uint(x);
    to.bits = x != x ? 0x7FFF : (unsigned short) ((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}
static inline void fromFloat(f16 &to, float x) { to.bits = simtBits<unsigned short>((_Float16) x); }
static inline unsigned packBf16(float low, float high) {
    bf16 l, h;
    fromFloat(l, low);
    fromFloat(h, high);
    return (unsigned) h.bits << 16 | l.bits;
}
static inline void mmaBf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], SIMT_SITE) {
    simt::Mma mine{d, a, b};
    simt::syncWarp(0xFFFFFFFFu, &mine, &simt::mmaAct, site);
}
static inline void simtLoadMatrix(unsigned *r, const void *row, int matrices, bool transposed, simt::Site site) {
    if (simt::lane() < 8 * matrices) {
        simt::requireAligned(row, 16, "a row of ldmatrix", site);
        simt::touchRead(row, 16);
    }
    simt::LoadMatrix mine{r, row, matrices, transposed};
    simt::syncWarp(0xFFFFFFFFu, &mine, &simt::loadMatrixAct, site);
}
static inline void loadMatrix4(unsigned (&r)[4], const void *row, SIMT_SITE) { simtLoadMatrix(r, row, 4, false, site); }
static inline void loadMatrix4Transposed(unsigned (&r)[4], const void *row, SIMT_SITE) { simtLoadMatrix(r, row, 4, true, site); }
static inline void loadMatrix2(unsigned (&r)[2], const void *row, SIMT_SITE) { simtLoadMatrix(r, row, 2, false, site); }
static inline void loadMatrix2Transposed(unsigned (&r)[2], const void *row, SIMT_SITE) { simtLoadMatrix(r, row, 2, true, site); }
static inline void copyAsync16(void *shared, const void *global, int bytes = 16, SIMT_SITE) {
    simt::requireAligned(shared, 16, "the target of an asynchronous copy", site);
    simt::requireAligned(global, 16, "the source of an asynchronous copy", site);
    simt::copyAsync(shared, global, bytes, site);
}
static inline void copyAsyncCommit() { simt::copyAsyncCommit(); }
template <int N> static inline void copyAsyncWait() { simt::copyAsyncWait(N); }
