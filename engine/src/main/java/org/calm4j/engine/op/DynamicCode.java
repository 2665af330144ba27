package org.calm4j.engine.op;

/**
 * The 256 values of dynamic tree quantization (Dettmers 2016, section 2.3; Dettmers et al. 2022, section 2.2), as bitsandbytes has them: zero,
 * one, and between them decades from 1e-7 to 1, each divided evenly into twice as many values as the one below; signed ones also below zero.
 * Among values without signs nothing above zero becomes zero: a step divides by them (Li et al. 2023, section 4.1).
 */
public final class DynamicCode {
    /** Elements that share a scale. */
    public static final int BLOCK = 256;

    private static final int VALUES = 256;
    private static final int DECADES = 7;
    private static final DynamicCode SIGNED = new DynamicCode(true);
    private static final DynamicCode UNSIGNED = new DynamicCode(false);

    /** Ascending. */
    private final float[] values = new float[VALUES];

    private DynamicCode(boolean signed) {
        int zero = signed ? VALUES / 2 - 1 : 0;
        int at = 1;
        for (int decade = 0; decade < DECADES; decade++) {
            int parts = 1 << (signed ? decade : decade + 1);
            for (int part = 0; part < parts; part++, at++) {
                double mean = 0.1 + 0.9 * (part + 0.5) / parts;
                float value = (float) (Math.pow(10, decade - (DECADES - 1)) * mean);
                values[zero + at] = value;
                if (signed) {
                    values[zero - at] = -value;
                }
            }
        }
        values[VALUES - 1] = 1;
    }

    public static DynamicCode of(boolean signed) {
        return signed ? SIGNED : UNSIGNED;
    }

    public float value(int code) {
        return values[code];
    }

    /** The code of the nearest value; of two as near, the lower one's. */
    public int nearest(float x) {
        int low = 0;
        for (int half = VALUES / 2; half > 0; half /= 2) {
            low += low + half < VALUES && values[low + half] <= x ? half : 0;
        }
        boolean upper = low + 1 < VALUES && values[low + 1] - x < x - values[low];
        boolean wouldBeZero = low == 0 && values[0] == 0 && x > 0;
        return upper || wouldBeZero ? low + 1 : low;
    }
}
