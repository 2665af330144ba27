// Sums over the rows of (T,C), one per column, in two steps whose order depends on T alone: partial sums over chunks of rows, then the
// chunks in their order. The gradients of biases and of the norms' weights and biases end here.
#include "vector.cuh"

// partial[chunk,c] = Σ over the chunk's rows of x[t,c]; grid (columns / threads, chunks).
extern "C" __global__ void columns_partial(float *partial, const float *x, int rows, int c, int chunk) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= c) return;
    const int first = blockIdx.y * chunk;
    const int end = min(rows, first + chunk);
    float sum = 0;
    for (int t = first; t < end; t++) sum += x[(long) t * c + column];
    partial[(long) blockIdx.y * c + column] = sum;
}
CALM_KERNEL(columns_partial)

// out[c] += Σ over chunks of partial[chunk,c].
extern "C" __global__ void columns_add(float *out, const float *partial, int chunks, int c) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= c) return;
    float sum = 0;
    for (int i = 0; i < chunks; i++) sum += partial[(long) i * c + column];
    out[column] += sum;
}
CALM_KERNEL(columns_add)
