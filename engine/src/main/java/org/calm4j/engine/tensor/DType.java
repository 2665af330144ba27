package org.calm4j.engine.tensor;

/** The types a tensor's elements can have; names as in safetensors. */
public enum DType {
    F32(4),
    /** Storage of the double-precision scalar backend, which the gradient tests differentiate numerically. */
    F64(8),
    BF16(2),
    F16(2),
    /** Token ids, positions and row indices. */
    I32(4);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }
}
