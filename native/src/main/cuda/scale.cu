// A factor for each column of x (T,N), out[t,n] = scale[n] · x[t,n], and its gradient, Σₜ dOut[t,n] · x[t,n], by chunks of rows that
// columns.cu adds up. DoRA's magnitudes. Bytes: x once, out once (twice when added to); backward two arrays once. Flops: 2 per element.
#include "vector.cuh"

// Grid (columns / 4 / threads, rows or fewer).
extern "C" __global__ void scale_forward(float *out, const float *x, const float *scale, int rows, int n, int add, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    float s[4];
    load4(s, scale, i, n, wide);
    for (int t = blockIdx.y; t < rows; t += gridDim.y) {
        float v[4], sum[4] = {0, 0, 0, 0};
        load4(v, x + (long) t * n, i, n, wide);
        if (add) load4(sum, out + (long) t * n, i, n, wide);
        for (int j = 0; j < 4; j++) sum[j] += s[j] * v[j];
        store4(out + (long) t * n, sum, i, n, wide);
    }
}
CALM_KERNEL(scale_forward)

// partial[chunk,n] = Σ over the chunk's rows of dOut[t,n] · x[t,n]; grid (columns / threads, chunks).
extern "C" __global__ void scale_backward(float *partial, const float *dOut, const float *x, int rows, int n, int chunk) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= n) return;
    const int first = blockIdx.y * chunk;
    const int end = min(rows, first + chunk);
    float sum = 0;
    for (int t = first; t < end; t++) sum += dOut[(long) t * n + column] * x[(long) t * n + column];
    partial[(long) blockIdx.y * n + column] = sum;
}
CALM_KERNEL(scale_backward)
