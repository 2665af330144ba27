// Four neighbours at a time: one 16-byte access (8-byte for 16-bit types) where `wide` says that addresses and sizes allow it, else one by
// one. Indices are multiples of four; what lies at or behind `end` reads as zero and is not written.
#pragma once

#include "device.cuh"

static __device__ __forceinline__ void load4(float (&v)[4], const float *x, long i, long end, bool wide) {
    if (wide) {
        const float4 four = *reinterpret_cast<const float4 *>(x + i);
        v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
    } else {
        for (int j = 0; j < 4; j++) v[j] = i + j < end ? x[i + j] : 0.0f;
    }
}

template <typename Half> static __device__ __forceinline__ void load4(float (&v)[4], const Half *x, long i, long end, bool wide) {
    if (wide) {
        const uint2 four = *reinterpret_cast<const uint2 *>(x + i);
        const unsigned pair[2] = {four.x, four.y};
        for (int j = 0; j < 4; j++) {
            Half half;
            half.bits = (unsigned short) (pair[j / 2] >> 16 * (j % 2));
            v[j] = toFloat(half);
        }
    } else {
        for (int j = 0; j < 4; j++) v[j] = i + j < end ? toFloat(x[i + j]) : 0.0f;
    }
}

// The types that stored weights have, as the Java side numbers them: one kernel serves all, the branch is the same in every thread.
enum { F32, BF16, F16 };

static __device__ __forceinline__ void load4(float (&v)[4], const void *x, int type, long i, long end, bool wide) {
    if (type == F32) load4(v, static_cast<const float *>(x), i, end, wide);
    else if (type == BF16) load4(v, static_cast<const bf16 *>(x), i, end, wide);
    else load4(v, static_cast<const f16 *>(x), i, end, wide);
}

static __device__ __forceinline__ void store4(float *x, const float (&v)[4], long i, long end, bool wide) {
    if (wide) {
        *reinterpret_cast<float4 *>(x + i) = make_float4(v[0], v[1], v[2], v[3]);
    } else {
        for (int j = 0; j < 4; j++) {
            if (i + j < end) x[i + j] = v[j];
        }
    }
}

template <typename Half> static __device__ __forceinline__ void store4(Half *x, const float (&v)[4], long i, long end, bool wide) {
    if (wide) {
        unsigned pair[2] = {0, 0};
        for (int j = 0; j < 4; j++) pair[j / 2] |= (unsigned) to<Half>(v[j]).bits << 16 * (j % 2);
        *reinterpret_cast<uint2 *>(x + i) = make_uint2(pair[0], pair[1]);
    } else {
        for (int j = 0; j < 4; j++) {
            if (i + j < end) x[i + j] = to<Half>(v[j]);
        }
    }
}

static __device__ __forceinline__ void store4(void *x, int type, const float (&v)[4], long i, long end, bool wide) {
    if (type == F32) store4(static_cast<float *>(x), v, i, end, wide);
    else if (type == BF16) store4(static_cast<bf16 *>(x), v, i, end, wide);
    else store4(static_cast<f16 *>(x), v, i, end, wide);
}

// Adds a residual to four elements v of a row, which are read already, and to the row: the same thread reads them again.
static __device__ __forceinline__ void addResidual(float (&v)[4], float *row, const float *residual, long i, long end, bool wide) {
    float r[4];
    load4(r, residual, i, end, wide);
    for (int j = 0; j < 4; j++) v[j] += r[j];
    store4(row, v, i, end, wide);
}

// The first of this thread's four elements when each thread of a one-dimensional grid takes four.
static __device__ __forceinline__ long firstOfFour() {
    return 4 * (blockIdx.x * (long) blockDim.x + threadIdx.x);
}
