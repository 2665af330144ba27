// Σ x² in double precision: each block sums a stretch of x whose length depends on the size alone, one more block adds the blocks' sums,
// both in a fixed tree. Bytes: x once. Flops: 2 per element.
#include "device.cuh"

// Over a block of whole warps, in thread 0.
static __device__ __forceinline__ double sumOverBlock(double x, double (&scratch)[32]) {
    for (int lanes = 16; lanes > 0; lanes >>= 1) x += __shfl_xor_sync(0xFFFFFFFFu, x, lanes);
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
    __syncthreads();
    double sum = 0;
    if (threadIdx.x == 0) {
        for (unsigned warp = 0; warp < blockDim.x / 32; warp++) sum += scratch[warp];
    }
    return sum;
}

extern "C" __global__ void gradnorm_partial(double *partial, const float *x, long n, long stretch) {
    __shared__ double scratch[32];
    const long first = blockIdx.x * stretch;
    const long end = first + stretch < n ? first + stretch : n;
    double sum = 0;
    for (long i = first + threadIdx.x; i < end; i += blockDim.x) sum += (double) x[i] * x[i];
    sum = sumOverBlock(sum, scratch);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
CALM_KERNEL(gradnorm_partial)

extern "C" __global__ void gradnorm_finish(double *total, const double *partial, int count) {
    __shared__ double scratch[32];
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
    sum = sumOverBlock(sum, scratch);
    if (threadIdx.x == 0) *total = sum;
}
CALM_KERNEL(gradnorm_finish)
