// Inverted dropout (Srivastava et al. 2014): out[i] = x[i] · factor where the random number of (seed, i) is at least p, else 0. The numbers
// are a function of (seed, index), so that the backward pass and every backend find the same mask.
// Bytes: two arrays, three when added. Flops: about 10 integer operations of 64 bits per element.
#include "random.cuh"

// threshold: the smallest of the 2⁵³ numbers that is kept.
extern "C" __global__ void dropout(float *out, const float *x, long n, unsigned long long seed, unsigned long long threshold, float factor,
                                   int add) {
    const long i = blockIdx.x * (long) blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float kept = randomBits(seed, i) >> 11 >= threshold ? x[i] * factor : 0.0f;
    out[i] = add ? out[i] + kept : kept;
}
CALM_KERNEL(dropout)
