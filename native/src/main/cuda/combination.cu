// y[i] = a · y[i] + b · x[i] in double precision, rounded once: moving averages of weights. Bytes: three arrays once. Flops: 3 of 64 bits per
// element. Each thread takes four neighbours.
#include "vector.cuh"

extern "C" __global__ void combination(float *y, double a, const float *x, double b, long n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float sum[4], more[4];
    load4(sum, y, i, n, four);
    load4(more, x, i, n, four);
    for (int j = 0; j < 4; j++) sum[j] = (float) (a * sum[j] + b * more[j]);
    store4(y, sum, i, n, four);
}
CALM_KERNEL(combination)
