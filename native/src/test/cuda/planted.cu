#include "device.cuh"

extern "C" __global__ void planted_scale(float *x, float factor, long n) {
    long i = blockIdx.x * (long) blockDim.x + threadIdx.x;
    if (i < n) x[i] *= factor;
}
CALM_KERNEL(planted_scale)
