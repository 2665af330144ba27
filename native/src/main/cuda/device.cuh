// What every kernel file includes, so that one source compiles twice: by nvcc for the GPU, by g++ for the stand-in (src/test/cpp/simt.h).
//
//   #include "device.cuh"
//   extern "C" __global__ void scale(float *x, float factor, long n) {
//       long i = blockIdx.x * (long) blockDim.x + threadIdx.x;
//       if (i < n) x[i] *= factor;
//   }
//   CALM_KERNEL(scale)                            // beside each kernel: registers it under its name; nothing for nvcc
//
// Rules that both compilers need:
// - Kernels are extern "C", not templates; a template or helper that they call is `static __device__` (helpers of one file may have any
//   name: for nvcc each file is included in a namespace of its own, so a .cu file includes nothing but "device.cuh" and other .cuh files).
// - `__shared__ float tile[32];` stands inside a kernel or a static helper; a helper that is given it takes `float (&tile)[32]`, so that the
//   stand-in knows where it ends. Dynamic shared memory: DYNAMIC_SHARED(float, tile);
// - What a warp shares through memory needs __syncwarp() or __syncthreads(); shuffles order no memory. Every thread of a block reaches
//   every __syncthreads(), and every lane named in a mask reaches the call: no early return before them.
// - Blocks of one launch share nothing but atomics on integers; what needs all blocks is a second launch. No atomics on floats: bits would
//   vary.
// - Inline PTX only here, each with its twin in simt.h.
#pragma once

#ifndef __CUDACC__
#include "simt.h"
#else

#define CALM_KERNEL(name)
#define DYNAMIC_SHARED(type, name)                                  \
    extern __shared__ __align__(16) unsigned char dynamicShared[];  \
    type *const name = reinterpret_cast<type *>(dynamicShared)

// BF16: the upper half of an F32, rounded to the nearest even.
struct __align__(2) bf16 {
    unsigned short bits;
};
// F16, for stored weights only.
struct __align__(2) f16 {
    unsigned short bits;
};

static __device__ __forceinline__ float toFloat(float x) {
    return x;
}
static __device__ __forceinline__ float toFloat(bf16 x) {
    return __uint_as_float((unsigned) x.bits << 16);
}
static __device__ __forceinline__ float toFloat(f16 x) {
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
    return result;
}
static __device__ __forceinline__ void fromFloat(float &to, float x) {
    to = x;
}
static __device__ __forceinline__ void fromFloat(bf16 &to, float x) {
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(x));
}
static __device__ __forceinline__ void fromFloat(f16 &to, float x) {
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(x));
}
// Two BF16 in a register, `low` at the lower address: the form that mma takes.
static __device__ __forceinline__ unsigned packBf16(float low, float high) {
    unsigned result;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
}

// d (16×8, F32) += a (16×16, BF16, by rows) · b (16×8, BF16, by columns). Lane l with g = l / 4 and t = l % 4 holds
// a[0] = A[g][2t..], a[1] = A[g+8][2t..], a[2] = A[g][2t+8..], a[3] = A[g+8][2t+8..]; b[0] = B[2t..][g], b[1] = B[2t+8..][g];
// d[0..1] = D[g][2t..2t+1], d[2..3] = D[g+8][2t..2t+1].
static __device__ __forceinline__ void mmaBf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four (two) 8×8 matrices of 16-bit elements out of shared memory: lane 8i+j gives the 16-byte aligned address of row j of matrix i; lane l
// gets elements 2(l%4) and 2(l%4)+1 of row l/4 of matrix i in r[i]; with Transposed, of column l/4.
static __device__ __forceinline__ void loadMatrix4(unsigned (&r)[4], const void *row) {
    unsigned address = (unsigned) __cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
static __device__ __forceinline__ void loadMatrix4Transposed(unsigned (&r)[4], const void *row) {
    unsigned address = (unsigned) __cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
static __device__ __forceinline__ void loadMatrix2(unsigned (&r)[2], const void *row) {
    unsigned address = (unsigned) __cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
}
static __device__ __forceinline__ void loadMatrix2Transposed(unsigned (&r)[2], const void *row) {
    unsigned address = (unsigned) __cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
}

// 16 bytes from global to shared memory, both 16-byte aligned, without waiting: the first `bytes` (0 to 16) are read, the rest is zero.
// What was issued before copyAsyncCommit() is one group; copyAsyncWait<N>() waits for all but the last N groups of this thread, and
// __syncthreads() after it makes them everybody's.
static __device__ __forceinline__ void copyAsync16(void *shared, const void *global, int bytes = 16) {
    unsigned to = (unsigned) __cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes) : "memory");
}
static __device__ __forceinline__ void copyAsyncCommit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int N> static __device__ __forceinline__ void copyAsyncWait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif

template <typename T> static __device__ __forceinline__ T to(float x) {
    T result;
    fromFloat(result, x);
    return result;
}

static __device__ __forceinline__ float2 unpackBf16(unsigned pair) {
    return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xFFFF0000u));
}

// Sum and maximum over a whole warp, the same bits in every lane: a fixed tree, so that results do not depend on timing.
static __device__ __forceinline__ float warpSum(float x) {
    for (int lanes = 16; lanes > 0; lanes >>= 1) x += __shfl_xor_sync(0xFFFFFFFFu, x, lanes);
    return x;
}
static __device__ __forceinline__ float warpMax(float x) {
    for (int lanes = 16; lanes > 0; lanes >>= 1) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, lanes));
    return x;
}

// Sum and maximum over a block of whole warps, in every thread. `scratch` is shared memory that nobody else uses meanwhile;
// the barrier at the end lets it be used again at once.
static __device__ __forceinline__ float blockSum(float x, float (&scratch)[32]) {
    x = warpSum(x);
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
    __syncthreads();
    x = warpSum(threadIdx.x % 32 < blockDim.x / 32 ? scratch[threadIdx.x % 32] : 0.0f);
    __syncthreads();
    return x;
}
static __device__ __forceinline__ float blockMax(float x, float (&scratch)[32]) {
    x = warpMax(x);
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
    __syncthreads();
    x = warpMax(threadIdx.x % 32 < blockDim.x / 32 ? scratch[threadIdx.x % 32] : -INFINITY);
    __syncthreads();
    return x;
}
