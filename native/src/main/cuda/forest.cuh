// The forest of segments that attention runs over, as the Java side lays it out in one array of integers: six per segment.
#pragma once

#include "device.cuh"

struct Segment {
    int queryStart, queryLength, keyStart, keyLength;
    int parent;  // −1 for a root
    int depth;   // keys of all ancestors together: the position of the segment's first key
};

static __device__ __forceinline__ Segment segmentAt(const int *table, int index) {
    const int *at = table + 6 * index;
    return {at[0], at[1], at[2], at[3], at[4], at[5]};
}

// The position of query `row` of a segment in its sequence. It sees the positions up to its own, `window` of them at most (0: all).
static __device__ __forceinline__ int queryPosition(const Segment &s, int row) {
    return s.depth + s.keyLength - s.queryLength + row;
}
static __device__ __forceinline__ bool sees(int query, int key, int window) {
    return key <= query && (window == 0 || key > query - window);
}
