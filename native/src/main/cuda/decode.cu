// Attention of single new tokens over long caches: q (T,H,D), k and v (S,G,D), each segment one query at most. A tile of queries would be
// empty but for one row, so the keys are split instead: a block is one query, one group of heads, and SPLIT positions of its sequence; it
// leaves its maximum, its sum and its unnormalised output, and a second kernel puts the splits together in their order.
// Bytes: each visible row of k and v once per group. Flops: 4·D per visible key and head.
#include "forest.cuh"

#define THREADS 128
#define SPLIT 128
#define MOST_HEADS 16

// The row of k and v that holds a position of a segment's sequence.
static __device__ __forceinline__ long rowOf(const int *segments, int index, int position) {
    Segment at = segmentAt(segments, index);
    while (position < at.depth) at = segmentAt(segments, at.parent);
    return at.keyStart + position - at.depth;
}

// partial: D + 2 floats for each (query, head, split): output, maximum, sum. queries: segments that have one. Grid (queries, groups,
// splits).
extern "C" __global__ void __launch_bounds__(THREADS)
    attention_decode(float *partial, const float *q, const float *k, const float *v, const int *segments, const int *queries, int heads,
                     int groups,
                     int d, float scale, int window) {
    __shared__ long rows[SPLIT];
    __shared__ float scores[MOST_HEADS][SPLIT];
    const int index = queries[blockIdx.x];
    const Segment own = segmentAt(segments, index);
    const int length = own.depth + own.keyLength;
    const int begin = max((int) blockIdx.z * SPLIT, window == 0 ? 0 : length - window);
    const int count = min((int) (blockIdx.z + 1) * SPLIT, length) - begin;
    const int perGroup = heads / groups;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int i = threadIdx.x; i < count; i += THREADS) rows[i] = rowOf(segments, index, begin + i);
    __syncthreads();
    for (int first = 0; first < perGroup; first += MOST_HEADS) {
        const int part = min(MOST_HEADS, perGroup - first);
        const int firstHead = blockIdx.y * perGroup + first;
        const float *query = q + ((long) own.queryStart * heads + firstHead) * d;
        for (int i = warp; i < count; i += THREADS / 32) {
            const float *key = k + (rows[i] * groups + blockIdx.y) * d;
            for (int h = 0; h < part; h++) {
                float dot = 0;
                for (int e = lane; e < d; e += 32) dot += query[h * d + e] * key[e];
                dot = warpSum(dot);
                if (lane == 0) scores[h][i] = scale * dot;
            }
        }
        __syncthreads();
        for (int h = warp; h < part; h += THREADS / 32) {
            float most = -INFINITY;
            for (int i = lane; i < count; i += 32) most = fmaxf(most, scores[h][i]);
            most = warpMax(most);
            float sum = 0;
            for (int i = lane; i < count; i += 32) {
                scores[h][i] = expf(scores[h][i] - most);
                sum += scores[h][i];
            }
            sum = warpSum(sum);
            float *to = partial + (((long) blockIdx.x * heads + firstHead + h) * gridDim.z + blockIdx.z) * (d + 2);
            if (lane == 0) {
                to[d] = most;
                to[d + 1] = sum;
            }
        }
        __syncthreads();
        for (int h = 0; h < part; h++) {
            float *to = partial + (((long) blockIdx.x * heads + firstHead + h) * gridDim.z + blockIdx.z) * (d + 2);
            for (int e = threadIdx.x; e < d; e += THREADS) {
                float mixed = 0;
                for (int i = 0; i < count; i++) mixed += scores[h][i] * v[(rows[i] * groups + blockIdx.y) * d + e];
                to[e] = mixed;
            }
        }
        __syncthreads();
    }
}
CALM_KERNEL(attention_decode)

// Grid (queries, heads), a warp each.
extern "C" __global__ void attention_decode_finish(float *out, float *lse, const float *partial, const int *segments, const int *queries,
                                                   int heads,
                                                   int d, int splits) {
    const long row = segmentAt(segments, queries[blockIdx.x]).queryStart * (long) heads + blockIdx.y;
    const float *from = partial + ((long) blockIdx.x * heads + blockIdx.y) * splits * (d + 2);
    float most = -INFINITY;
    for (int i = 0; i < splits; i++) most = fmaxf(most, from[(long) i * (d + 2) + d]);
    float sum = 0;
    for (int i = 0; i < splits; i++) sum += from[(long) i * (d + 2) + d + 1] * expf(from[(long) i * (d + 2) + d] - most);
    for (int e = threadIdx.x; e < d; e += 32) {
        float mixed = 0;
        for (int i = 0; i < splits; i++) mixed += from[(long) i * (d + 2) + e] * expf(from[(long) i * (d + 2) + d] - most);
        out[row * d + e] = mixed / sum;
    }
    if (threadIdx.x == 0) lse[row] = most + logf(sum);
}
CALM_KERNEL(attention_decode_finish)
