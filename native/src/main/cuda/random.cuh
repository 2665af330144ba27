// The random numbers of the CPU's CounterRandom: a function of (seed, index), whose mixer is SplitMix64's (Steele, Lea & Flood 2014).
#pragma once

#include "device.cuh"

static __device__ __forceinline__ unsigned long long randomBits(unsigned long long seed, unsigned long long index) {
    unsigned long long z = seed + (index + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

// In [0,1), 53 bits.
static __device__ __forceinline__ double randomUniform(unsigned long long seed, unsigned long long index) {
    return (double) (randomBits(seed, index) >> 11) * 0x1p-53;
}
