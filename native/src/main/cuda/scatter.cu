// Rows to the places that an index names: to[index[t]] = from[t], rounded to the type of `to`. New keys and values go into the cache so; no
// two rows have the same index. A block a row. Bytes: from once, to once. Flops: none.
#include "vector.cuh"

extern "C" __global__ void scatter(void *to, int type, const float *from, const int *index, int c, int wide) {
    const long row = (long) index[blockIdx.x] * c;
    for (int i = 4 * threadIdx.x; i < c; i += 4 * blockDim.x) {
        float v[4];
        load4(v, from + (long) blockIdx.x * c, i, c, wide);
        store4(to, type, v, row + i, row + c, wide);
    }
}
CALM_KERNEL(scatter)
