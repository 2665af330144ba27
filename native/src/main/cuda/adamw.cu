// One step of AdamW (Loshchilov & Hutter 2019) in PyTorch's order: g = gradScale · grad, m and v their moving averages,
// w = w · keep − rate · m / (√(v · correction) + ε), with keep = 1 − lr · wd, rate = lr / (1 − β1ᵗ), correction = 1 / (1 − β2ᵗ).
// Bytes: four arrays read, three written. Flops: about 20 per element.
#include "vector.cuh"

extern "C" __global__ void adamw(float *w, float *m, float *v, const float *grad, long n, float gradScale, float beta1, float oneMinusBeta1,
                                 float beta2, float oneMinusBeta2, float keep, float rate, float correction, float epsilon, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float weight[4], first[4], second[4], g[4];
    load4(weight, w, i, n, four);
    load4(first, m, i, n, four);
    load4(second, v, i, n, four);
    load4(g, grad, i, n, four);
    for (int j = 0; j < 4; j++) {
        g[j] *= gradScale;
        first[j] = beta1 * first[j] + oneMinusBeta1 * g[j];
        second[j] = beta2 * second[j] + oneMinusBeta2 * g[j] * g[j];
        weight[j] = weight[j] * keep - rate * first[j] / (sqrtf(second[j] * correction) + epsilon);
    }
    store4(w, weight, i, n, four);
    store4(m, first, i, n, four);
    store4(v, second, i, n, four);
}
CALM_KERNEL(adamw)
