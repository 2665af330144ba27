// Numbers in fewer bits, for the optimizer's moments: codes of 8 bits by blocks of 256 elements (Dettmers et al. 2022), and BF16 rounded at
// random. Bytes: x once, a quarter or half of it written. Flops: a search of eight steps per element.
#include "random.cuh"

// The nearest of 256 ascending values; of two as near, the lower one. Where the first is zero, nothing above zero becomes it.
static __device__ __forceinline__ int nearestCode(const float *values, float x) {
    int low = 0;
    for (int half = 128; half > 0; half /= 2) low += values[low + half] <= x ? half : 0;
    const bool upper = low < 255 && values[low + 1] - x < x - values[low];
    const bool wouldBeZero = low == 0 && values[0] == 0 && x > 0;
    return upper || wouldBeZero ? low + 1 : low;
}

// A block of threads for each block of elements, each thread one.
extern "C" __global__ void quantize(unsigned char *codes, float *scales, const float *x, const float *values, long n) {
    __shared__ float scratch[32];
    __shared__ float table[256];
    const long i = blockIdx.x * 256l + threadIdx.x;
    const float value = i < n ? x[i] : 0.0f;
    table[threadIdx.x] = values[threadIdx.x];
    const float scale = blockMax(fabsf(value), scratch);
    if (threadIdx.x == 0) scales[blockIdx.x] = scale;
    // The rest of the last four codes is zero.
    const long codesEnd = (n + 3) / 4 * 4;
    if (i < n) codes[i] = (unsigned char) nearestCode(table, scale == 0 ? 0.0f : value / scale);
    else if (i < codesEnd) codes[i] = 0;
}
CALM_KERNEL(quantize)

extern "C" __global__ void dequantize(float *x, const unsigned char *codes, const float *scales, const float *values, long n) {
    const long i = blockIdx.x * (long) blockDim.x + threadIdx.x;
    if (i < n) x[i] = values[codes[i]] * scales[i / 256];
}
CALM_KERNEL(dequantize)

// first: the number of the first element among the random numbers.
extern "C" __global__ void round_randomly(bf16 *to, const float *from, long n, unsigned long long seed, unsigned long long first) {
    const long i = blockIdx.x * (long) blockDim.x + threadIdx.x;
    if (i >= n) return;
    const unsigned random = (unsigned) randomBits(seed, first + i) & 0xFFFFu;
    to[i].bits = (unsigned short) ((__float_as_uint(from[i]) + random) >> 16);
}
CALM_KERNEL(round_randomly)
