// Rows of a table (V,C) by their indices (T): embedding of tokens and positions, picking the scored rows, cutting queries, keys and values apart.
//
// Forward: out[t] = table[index[t]], or added to out; each block copies one row. Bytes: a row of both per t.
//
// Backward: dTable[index[t]] += dOut[t], in the order of t without atomics. `links` finds for every t whether it is the first with its
// index and which is the next one (T² / 2 comparisons of integers that lie in the cache); then the block of each first t walks along its
// chain and adds. Bytes: dOut once, the touched rows of dTable twice. Flops: T·C.
#include "vector.cuh"

extern "C" __global__ void embedding_forward(float *out, const void *table, int type, const int *index, int c, int add, int wide) {
    const long row = (long) index[blockIdx.x] * c;
    for (int i = 4 * threadIdx.x; i < c; i += 4 * blockDim.x) {
        float v[4], old[4];
        load4(v, table, type, row + i, row + c, wide);
        if (add) {
            load4(old, out + (long) blockIdx.x * c, i, c, wide);
            for (int j = 0; j < 4; j++) v[j] += old[j];
        }
        store4(out + (long) blockIdx.x * c, v, i, c, wide);
    }
}
CALM_KERNEL(embedding_forward)

// next[t]: the next row with the same index, or -1; first[t]: whether none comes before.
extern "C" __global__ void embedding_links(int *next, int *first, const int *index, int rows) {
    const int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= rows) return;
    const int own = index[t];
    int before = 0;
    while (index[before] != own) before++;
    int after = t + 1;
    while (after < rows && index[after] != own) after++;
    first[t] = before == t;
    next[t] = after < rows ? after : -1;
}
CALM_KERNEL(embedding_links)

extern "C" __global__ void embedding_backward(float *dTable, const float *dOut, const int *index, const int *next, const int *first, int c,
                                              int wide) {
    if (!first[blockIdx.x]) return;
    float *row = dTable + (long) index[blockIdx.x] * c;
    for (int i = 4 * threadIdx.x; i < c; i += 4 * blockDim.x) {
        float sum[4];
        load4(sum, row, i, c, wide);
        for (int t = blockIdx.x; t >= 0; t = next[t]) {
            float v[4];
            load4(v, dOut + (long) t * c, i, c, wide);
            for (int j = 0; j < 4; j++) sum[j] += v[j];
        }
        store4(row, sum, i, c, wide);
    }
}
CALM_KERNEL(embedding_backward)
