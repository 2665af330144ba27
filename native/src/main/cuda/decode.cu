// Attention of single new tokens over long caches: q (T,H,D) in F32, k and v (S,G,D) in F32 or BF16, each segment one query at most. A tile
// of queries would be empty but for one row, so the keys are split instead: a block is one query, one group of heads, and SPLIT positions of
// its sequence; it leaves its maximum, its sum and its unnormalised output, and a second kernel puts the splits together in their order.
//
// Every access to a key or a value is 16 bytes wide where rows allow it, and serves HEADS query heads of the group. Keys: a few lanes share a
// row, each with one piece of it, and a warp has as many rows at a time as that leaves it. Values: the same, each lane adds up its piece
// over its rows; then lanes, then warps are added in their order.
// Bytes: each visible row of k and v once per group (2 bytes an element in BF16), from the cache for more heads than HEADS. Flops: 4·D per
// visible key and head.
#include "forest.cuh"
#include "vector.cuh"

#define THREADS 128
#define WARPS (THREADS / 32)
#define SPLIT 128
#define HEADS 4

// The row of k and v that holds a position of a segment's sequence.
static __device__ __forceinline__ long rowOf(const int *segments, int index, int position) {
    Segment at = segmentAt(segments, index);
    while (position < at.depth) at = segmentAt(segments, at.parent);
    return at.keyStart + position - at.depth;
}

// 16 bytes of a row of d elements from element i on; what is behind the row reads as zero.
static __device__ __forceinline__ void loadPiece(float (&piece)[4], const float *row, int i, int d, bool wide) {
    load4(piece, row, i, d, wide);
}
static __device__ __forceinline__ void loadPiece(float (&piece)[8], const bf16 *row, int i, int d, bool wide) {
    if (wide) {
        const uint4 eight = *reinterpret_cast<const uint4 *>(row + i);
        const unsigned pairs[4] = {eight.x, eight.y, eight.z, eight.w};
        for (int j = 0; j < 4; j++) {
            const float2 two = unpackBf16(pairs[j]);
            piece[2 * j] = two.x, piece[2 * j + 1] = two.y;
        }
    } else {
        for (int j = 0; j < 8; j++) {
            piece[j] = i + j < d ? toFloat(row[i + j]) : 0.0f;
        }
    }
}

// rows, scores and mixed are shared.
template <typename T, int SIZE>
static __device__ __forceinline__ void decode(long (&rows)[SPLIT], float (&scores)[HEADS][SPLIT], float (&mixed)[WARPS][HEADS][32 * SIZE],
                                              float *partial, const float *q, const T *k, const T *v, const int *segments,
                                              const int *queries, int heads, int keyHeads, int d, float scale, int window, bool wide) {
    const int index = queries[blockIdx.x];
    const Segment own = segmentAt(segments, index);
    const int length = own.depth + own.keyLength;
    const int begin = max((int) blockIdx.z * SPLIT, window == 0 ? 0 : length - window);
    const int count = min((int) (blockIdx.z + 1) * SPLIT, length) - begin;
    const int perGroup = heads / keyHeads;
    const int pieces = (d + SIZE - 1) / SIZE;
    int lanes = 1;
    while (lanes < pieces && lanes < 32) lanes *= 2;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int mine = lane % lanes, together = 32 / lanes;
    for (int i = threadIdx.x; i < count; i += THREADS) rows[i] = (rowOf(segments, index, begin + i) * keyHeads + blockIdx.y) * d;
    __syncthreads();
    for (int first = 0; first < perGroup; first += HEADS) {
        const int part = min(HEADS, perGroup - first);
        const int firstHead = blockIdx.y * perGroup + first;
        const float *query = q + ((long) own.queryStart * heads + firstHead) * d;
        for (int at = 0; at < pieces; at += lanes) {
            const int e = (at + mine) * SIZE;
            float asked[HEADS][SIZE];
            for (int h = 0; h < HEADS; h++) {
                for (int j = 0; j < SIZE; j++) {
                    asked[h][j] = h < part && e + j < d ? query[h * d + e + j] : 0.0f;
                }
            }
            for (int base = warp * together; base < count; base += WARPS * together) {
                const int i = base + lane / lanes;
                float key[SIZE];
                for (int j = 0; j < SIZE; j++) key[j] = 0;
                if (i < count && e < d) loadPiece(key, k + rows[i], e, d, wide);
                for (int h = 0; h < part; h++) {
                    float dot = 0;
                    for (int j = 0; j < SIZE; j++) dot += asked[h][j] * key[j];
                    for (int distance = lanes / 2; distance > 0; distance /= 2) dot += __shfl_xor_sync(0xFFFFFFFFu, dot, distance);
                    // What lies behind count is not read.
                    if (mine == 0) scores[h][i] = at == 0 ? scale * dot : scores[h][i] + scale * dot;
                }
            }
        }
        __syncthreads();
        for (int h = warp; h < part; h += WARPS) {
            float rowMax = -INFINITY;
            for (int i = lane; i < count; i += 32) rowMax = fmaxf(rowMax, scores[h][i]);
            rowMax = warpMax(rowMax);
            float sum = 0;
            for (int i = lane; i < count; i += 32) {
                scores[h][i] = expf(scores[h][i] - rowMax);
                sum += scores[h][i];
            }
            sum = warpSum(sum);
            float *to = partial + (((long) blockIdx.x * heads + firstHead + h) * gridDim.z + blockIdx.z) * (d + 2);
            if (lane == 0) {
                to[d] = rowMax;
                to[d + 1] = sum;
            }
        }
        __syncthreads();
        for (int at = 0; at < pieces; at += lanes) {
            const int e = (at + mine) * SIZE;
            float sum[HEADS][SIZE];
            for (int h = 0; h < HEADS; h++) {
                for (int j = 0; j < SIZE; j++) sum[h][j] = 0;
            }
            for (int i = warp * together + lane / lanes; i < count; i += WARPS * together) {
                float value[SIZE];
                for (int j = 0; j < SIZE; j++) value[j] = 0;
                if (e < d) loadPiece(value, v + rows[i], e, d, wide);
                for (int h = 0; h < HEADS; h++) {
                    const float weight = h < part ? scores[h][i] : 0.0f;
                    for (int j = 0; j < SIZE; j++) sum[h][j] += weight * value[j];
                }
            }
            for (int h = 0; h < HEADS; h++) {
                for (int j = 0; j < SIZE; j++) {
                    for (int distance = lanes; distance < 32; distance *= 2) {
                        sum[h][j] += __shfl_xor_sync(0xFFFFFFFFu, sum[h][j], distance);
                    }
                    if (lane == mine) mixed[warp][h][mine * SIZE + j] = sum[h][j];
                }
            }
            __syncthreads();
            const int width = min(lanes * SIZE, d - at * SIZE);
            for (int i = threadIdx.x; i < part * width; i += THREADS) {
                const int h = i / width, column = i % width;
                float all = 0;
                for (int w = 0; w < WARPS; w++) all += mixed[w][h][column];
                partial[(((long) blockIdx.x * heads + firstHead + h) * gridDim.z + blockIdx.z) * (d + 2) + at * SIZE + column] = all;
            }
            __syncthreads();
        }
    }
}

// partial: D + 2 floats for each (query, head, split): output, maximum, sum. queries: segments that have one. Grid (queries, keyHeads,
// splits).
extern "C" __global__ void __launch_bounds__(THREADS)
    attention_decode(float *partial, const float *q, const float *k, const float *v, const int *segments, const int *queries, int heads,
                     int keyHeads, int d, float scale, int window, int wide) {
    __shared__ long rows[SPLIT];
    __shared__ float scores[HEADS][SPLIT];
    __shared__ float mixed[WARPS][HEADS][32 * 4];
    decode<float, 4>(rows, scores, mixed, partial, q, k, v, segments, queries, heads, keyHeads, d, scale, window, wide);
}
CALM_KERNEL(attention_decode)

extern "C" __global__ void __launch_bounds__(THREADS)
    attention_decode_bf16(float *partial, const float *q, const bf16 *k, const bf16 *v, const int *segments, const int *queries, int heads,
                          int keyHeads, int d, float scale, int window, int wide) {
    __shared__ long rows[SPLIT];
    __shared__ float scores[HEADS][SPLIT];
    __shared__ float mixed[WARPS][HEADS][32 * 8];
    decode<bf16, 8>(rows, scores, mixed, partial, q, k, v, segments, queries, heads, keyHeads, d, scale, window, wide);
}
CALM_KERNEL(attention_decode_bf16)

// Grid (queries, heads), a warp each.
extern "C" __global__ void attention_decode_finish(float *out, float *lse, const float *partial, const int *segments, const int *queries,
                                                   int heads,
                                                   int d, int splits) {
    const long row = segmentAt(segments, queries[blockIdx.x]).queryStart * (long) heads + blockIdx.y;
    const float *from = partial + ((long) blockIdx.x * heads + blockIdx.y) * splits * (d + 2);
    float rowMax = -INFINITY;
    for (int i = 0; i < splits; i++) rowMax = fmaxf(rowMax, from[(long) i * (d + 2) + d]);
    float sum = 0;
    for (int i = 0; i < splits; i++) sum += from[(long) i * (d + 2) + d + 1] * expf(from[(long) i * (d + 2) + d] - rowMax);
    for (int e = threadIdx.x; e < d; e += 32) {
        float mixed = 0;
        for (int i = 0; i < splits; i++) mixed += from[(long) i * (d + 2) + e] * expf(from[(long) i * (d + 2) + d] - rowMax);
        out[row * d + e] = mixed / sum;
    }
    if (threadIdx.x == 0) lse[row] = rowMax + logf(sum);
}
CALM_KERNEL(attention_decode_finish)
