package org.calm4j.engine.op.scalar;

import org.calm4j.engine.op.DynamicCode;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.tensor.Tensor;

/** Numbers in fewer bits: codes by blocks, and BF16 rounded at random. Arithmetic is that of F32, so that codes are the same everywhere. */
final class Quantization {
    private static final int BITS = 8;
    private static final int PER_INT = 4;

    private Quantization() {}

    /** Codes of the nearest values to {@code x / scale}; the scale is the largest absolute value of the block. */
    static void quantize(Tensor codes, Tensor scales, Tensor x, boolean signed) {
        DynamicCode code = DynamicCode.of(signed);
        for (long i = 0; i < codes.size(); i++) {
            codes.setInt(i, 0);
        }
        for (long block = 0; block < scales.size(); block++) {
            long first = block * DynamicCode.BLOCK;
            long end = Math.min(x.size(), first + DynamicCode.BLOCK);
            float scale = 0;
            for (long i = first; i < end; i++) {
                scale = Math.max(scale, Math.abs((float) x.get(i)));
            }
            scales.set(block, scale);
            for (long i = first; i < end; i++) {
                int nearest = code.nearest(scale == 0 ? 0 : (float) x.get(i) / scale);
                codes.setInt(i / PER_INT, codes.getInt(i / PER_INT) | nearest << BITS * (int) (i % PER_INT));
            }
        }
    }

    /** {@code x[i] = code(i) · scale}. */
    static void dequantize(Tensor x, Tensor codes, Tensor scales, boolean signed) {
        DynamicCode code = DynamicCode.of(signed);
        for (long i = 0; i < x.size(); i++) {
            int stored = codes.getInt(i / PER_INT) >>> BITS * (int) (i % PER_INT) & 0xff;
            x.set(i, code.value(stored) * (float) scales.get(i / DynamicCode.BLOCK));
        }
    }

    /** BF16 with the probability that keeps the mean: a random number below the bits that are cut is added to them. */
    static void roundRandomly(Tensor to, Tensor from, long seed, long first) {
        for (long i = 0; i < from.size(); i++) {
            int random = (int) CounterRandom.bits(seed, first + i) & 0xffff;
            int bits = Float.floatToRawIntBits((float) from.get(i)) + random;
            to.set(i, Float.intBitsToFloat(bits & 0xffff_0000));
        }
    }
}
