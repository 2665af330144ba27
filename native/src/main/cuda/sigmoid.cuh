// σ(x) and 1 − σ(x), both to the last bits: where one of them is near 1, the other is not got by subtraction.
#pragma once

#include "device.cuh"

static __device__ __forceinline__ float2 sigmoid(float x) {
    const float e = expf(-fabsf(x));
    const float near = 1.0f / (1.0f + e);
    return x >= 0 ? make_float2(near, e * near) : make_float2(e * near, near);
}
