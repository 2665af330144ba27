// Inverted dropout (Srivastava et al. 2014): out[i] = x[i] · factor where the random number of (seed, i) is at least p, else 0. The numbers
// are those of the CPU's CounterRandom, a function of (seed, index), so that the backward pass and every backend find the same mask.
// Bytes: two arrays, three when added. Flops: about 10 integer operations of 64 bits per element.
#include "device.cuh"

static __device__ __forceinline__ unsigned long long randomBits(unsigned long long seed, unsigned long long index) {
    unsigned long long z = seed + (index + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

// threshold: the smallest of the 2⁵³ numbers that is kept.
extern "C" __global__ void dropout(float *out, const float *x, long n, unsigned long long seed, unsigned long long threshold, float factor,
                                   int add) {
    const long i = blockIdx.x * (long) blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float kept = randomBits(seed, i) >> 11 >= threshold ? x[i] * factor : 0.0f;
    out[i] = add ? out[i] + kept : kept;
}
CALM_KERNEL(dropout)
