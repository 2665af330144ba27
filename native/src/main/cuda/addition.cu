// y[i] += x[i]: gradients of two parts of a step. Bytes: three arrays once. Flops: 1 per element. Each thread takes four neighbours.
#include "vector.cuh"

extern "C" __global__ void addition(float *y, const float *x, long n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float sum[4], more[4];
    load4(sum, y, i, n, four);
    load4(more, x, i, n, four);
    for (int j = 0; j < 4; j++) sum[j] += more[j];
    store4(y, sum, i, n, four);
}
CALM_KERNEL(addition)
