// Rotary position embedding (Su et al. 2021) in place on x (T,H,D), halves paired as in Hugging Face: (a, b) → (a cos − b sin, b cos + a
// sin) for element i and i + R/2 of a head; what lies behind R stays. The gradient is the turn back: direction −1.
// Bytes: x twice, the angles of T rows from the cache. Flops: 6 per pair. A thread a pair; neighbours in a warp are neighbours in memory.
#include "device.cuh"

extern "C" __global__ void rope(float *x, const float *cosine, const float *sine, const int *position, int heads, int d, int half,
                                long pairs,
                                float direction) {
    const long pair = blockIdx.x * (long) blockDim.x + threadIdx.x;
    if (pair >= pairs) return;
    const long head = pair / half;
    const int i = (int) (pair - head * half);
    const long angle = (long) position[head / heads] * half + i;
    const float cos = cosine[angle];
    const float sin = direction * sine[angle];
    float *a = x + head * d + i;
    float *b = a + half;
    const float first = *a;
    const float second = *b;
    *a = first * cos - second * sin;
    *b = second * cos + first * sin;
}
CALM_KERNEL(rope)
