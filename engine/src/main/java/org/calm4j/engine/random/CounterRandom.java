package org.calm4j.engine.random;

/**
 * Random numbers by counting, not by state: each is a pure function of (seed, purpose, index), so the same on every backend, with any
 * number of threads and after a resume. The mixer is SplitMix64's finalizer (Steele, Lea &amp; Flood 2014).
 */
public final class CounterRandom {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private CounterRandom() {}

    /** A seed of its own for one purpose, such as {@code "init"} or {@code "sample"}. */
    public static long seed(long seed, String purpose) {
        long key = mix(seed + GOLDEN);
        for (int i = 0; i < purpose.length(); i++) {
            key = mix(key ^ purpose.charAt(i) + GOLDEN);
        }
        return key;
    }

    /** A seed of its own for one index below a seed, such as one sequence. */
    public static long seed(long seed, long index) {
        return mix(mix(seed ^ GOLDEN) + index * GOLDEN);
    }

    /** 64 random bits. */
    public static long bits(long seed, long index) {
        return mix(seed + index * GOLDEN + GOLDEN);
    }

    /** Uniform in [0,1), 53 bits. */
    public static double uniform(long seed, long index) {
        return (bits(seed, index) >>> 11) * 0x1p-53;
    }

    /** Uniform in {0, …, bound-1}, exact to 2⁻⁵³. */
    public static int below(long seed, long index, int bound) {
        return (int) (uniform(seed, index) * bound);
    }

    /** Standard normal, by Box and Muller from two uniforms. */
    public static double normal(long seed, long index) {
        double u = 1 - uniform(seed, 2 * index);
        double v = uniform(seed, 2 * index + 1);
        return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
    }

    /** A random order of 0 … n-1 (Fisher–Yates). */
    public static int[] permutation(long seed, int n) {
        int[] order = new int[n];
        for (int i = 0; i < n; i++) {
            int j = below(seed, i, i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    private static long mix(long z) {
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }
}
