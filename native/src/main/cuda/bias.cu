// x[t] += bias for every row of x (T,N). The gradient of the bias is a sum over rows: columns.cu.
// Bytes: x twice. Flops: 1 per element. Grid (columns / 4 / threads, rows or fewer).
#include "vector.cuh"

extern "C" __global__ void bias_forward(float *x, const void *bias, int type, int rows, int n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    float b[4];
    load4(b, bias, type, i, n, wide);
    for (int t = blockIdx.y; t < rows; t += gridDim.y) {
        float v[4];
        load4(v, x + (long) t * n, i, n, wide);
        for (int j = 0; j < 4; j++) v[j] += b[j];
        store4(x + (long) t * n, v, i, n, wide);
    }
}
CALM_KERNEL(bias_forward)
