// out = x/2 · (1 + tanh u), u = √(2/π) · (x + 0.044715 · x³) (Hendrycks & Gimpel 2016, their approximation; gelu_new in Hugging Face).
// Forward: bytes: two arrays once. Backward: dX may be x or dOut; bytes: three arrays once. Flops: about 30 per element, most of them tanh.
#include "vector.cuh"

static __device__ __forceinline__ float tanhOfGelu(float x) {
    return tanhf(0.7978845608f * (x + 0.044715f * x * x * x));
}

extern "C" __global__ void gelu_forward(float *out, const float *x, long n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float v[4];
    load4(v, x, i, n, four);
    for (int j = 0; j < 4; j++) v[j] = 0.5f * v[j] * (1.0f + tanhOfGelu(v[j]));
    store4(out, v, i, n, four);
}
CALM_KERNEL(gelu_forward)

extern "C" __global__ void gelu_backward(float *dX, const float *dOut, const float *x, long n, int wide) {
    const long i = firstOfFour();
    if (i >= n) return;
    const bool four = wide && i + 4 <= n;
    float v[4], d[4];
    load4(v, x, i, n, four);
    load4(d, dOut, i, n, four);
    for (int j = 0; j < 4; j++) {
        const float tanh = tanhOfGelu(v[j]);
        const float du = 0.7978845608f * (1.0f + 3 * 0.044715f * v[j] * v[j]);
        d[j] *= 0.5f * (1.0f + tanh) + 0.5f * v[j] * (1.0f - tanh * tanh) * du;
    }
    store4(dX, d, i, n, four);
}
CALM_KERNEL(gelu_backward)
