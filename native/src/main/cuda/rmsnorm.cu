// Root-mean-square norm (Zhang & Sennrich 2019) of the rows of x (T,C): out = x · rstd · w, rstd = 1 / √(mean(x²) + ε).
//
// Forward: a block a row, which is read twice, the second time from the cache. Bytes: x and out once. Flops: 4 per element.
// With a residual, x += residual comes first, while the row is read: residual once, x and out once, x written, 16 bytes an element; and the
// product that made x wrote it, 4. Apart, the residual was copied (8), the product added to the copy (8), and the norm read that (8).
// Backward: dX += rstd · (g − x · rstd² · mean(g · x)) with g = dOut · w, a block a row; bytes: dOut, x once, dX twice. dW over chunks of
// rows, added by columns_add; bytes: dOut and x once more.
#include "vector.cuh"

extern "C" __global__ void rmsnorm_forward(float *out, float *rstd, float *x, const float *residual, const void *w, int type, int c,
                                           float epsilon, int wide) {
    __shared__ float scratch[32];
    float *row = x + (long) blockIdx.x * c;
    float squares = 0;
    for (int i = 4 * threadIdx.x; i < c; i += 4 * blockDim.x) {
        float v[4];
        load4(v, row, i, c, wide);
        if (residual) addResidual(v, row, residual + (long) blockIdx.x * c, i, c, wide);
        for (int j = 0; j < 4; j++) squares += v[j] * v[j];
    }
    const float r = 1.0f / sqrtf(blockSum(squares, scratch) / c + epsilon);
    if (threadIdx.x == 0) rstd[blockIdx.x] = r;
    for (int i = 4 * threadIdx.x; i < c; i += 4 * blockDim.x) {
        float v[4], weight[4];
        load4(v, row, i, c, wide);
        load4(weight, w, type, i, c, wide);
        for (int j = 0; j < 4; j++) v[j] = v[j] * r * weight[j];
        store4(out + (long) blockIdx.x * c, v, i, c, wide);
    }
}
CALM_KERNEL(rmsnorm_forward)

extern "C" __global__ void rmsnorm_backward(float *dX, const float *dOut, const float *x, const void *w, int type, const float *rstd, int c,
                                            int wide) {
    __shared__ float scratch[32];
    const long row = (long) blockIdx.x * c;
    const float r = rstd[blockIdx.x];
    float sum = 0;
    for (int i = 4 * threadIdx.x; i < c; i += 4 * blockDim.x) {
        float d[4], v[4], weight[4];
        load4(d, dOut + row, i, c, wide);
        load4(v, x + row, i, c, wide);
        load4(weight, w, type, i, c, wide);
        for (int j = 0; j < 4; j++) sum += d[j] * weight[j] * v[j];
    }
    const float mean = blockSum(sum, scratch) / c;
    for (int i = 4 * threadIdx.x; i < c; i += 4 * blockDim.x) {
        float d[4], v[4], weight[4], old[4];
        load4(d, dOut + row, i, c, wide);
        load4(v, x + row, i, c, wide);
        load4(weight, w, type, i, c, wide);
        load4(old, dX + row, i, c, wide);
        for (int j = 0; j < 4; j++) old[j] += r * (d[j] * weight[j] - v[j] * r * r * mean);
        store4(dX + row, old, i, c, wide);
    }
}
CALM_KERNEL(rmsnorm_backward)

// partial[chunk,c] = Σ over the chunk's rows of dOut · x · rstd; grid (columns / threads, chunks).
extern "C" __global__ void rmsnorm_backward_weight(float *partial, const float *dOut, const float *x, const float *rstd, int rows, int c,
                                                   int chunk) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= c) return;
    const int first = blockIdx.y * chunk;
    const int end = min(rows, first + chunk);
    float sum = 0;
    for (int t = first; t < end; t++) sum += dOut[(long) t * c + column] * x[(long) t * c + column] * rstd[t];
    partial[(long) blockIdx.y * c + column] = sum;
}
CALM_KERNEL(rmsnorm_backward_weight)
