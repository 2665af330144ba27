package org.calm4j.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A named, dense, row-major view of a buffer. It owns nothing.
 *
 * <p>Shape letters: B batch, T tokens (rows of the packed batch), C hidden size, V vocabulary, L layers, H query heads, G key/value
 * heads, D head size, F feed-forward size, R LoRA rank, N scored tokens.
 */
public final class Tensor {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    private final String name;
    private final Buffer buffer;
    private final long offset;
    private final DType type;
    private final long[] shape;
    private final long size;
    private final MemorySegment segment;

    /** @param offset offset of the first element in the buffer, in bytes */
    public Tensor(String name, Buffer buffer, long offset, DType type, long... shape) {
        this.name = name;
        this.buffer = buffer;
        this.offset = offset;
        this.type = type;
        this.shape = shape.clone();
        this.size = product(shape);
        if (offset < 0 || offset + size * type.bytes() > buffer.bytes()) {
            throw new IndexOutOfBoundsException(
                    this + " does not fit into a buffer of " + buffer.bytes() + " bytes at " + offset);
        }
        this.segment = buffer instanceof HostBuffer host ? host.segment().asSlice(offset, size * type.bytes()) : null;
    }

    /** Number of elements of a shape. */
    public static long product(long... shape) {
        long product = 1;
        for (long extent : shape) {
            product = Math.multiplyExact(product, extent);
        }
        return product;
    }

    public String name() {
        return name;
    }

    public Buffer buffer() {
        return buffer;
    }

    /** Bytes from the start of the buffer. */
    public long offset() {
        return offset;
    }

    public DType type() {
        return type;
    }

    public long[] shape() {
        return shape.clone();
    }

    public int rank() {
        return shape.length;
    }

    public long dim(int axis) {
        return shape[axis];
    }

    /** Number of elements. */
    public long size() {
        return size;
    }

    public long bytes() {
        return size * type.bytes();
    }

    /** The product of all dimensions but the first: elements of one row. */
    public long rowSize() {
        return shape[0] == 0 ? product(Arrays.copyOfRange(shape, 1, shape.length)) : size / shape[0];
    }

    /** The same elements in another shape. */
    public Tensor view(long... newShape) {
        if (product(newShape) != size) {
            throw new IllegalArgumentException(this + " has no view of shape " + Arrays.toString(newShape));
        }
        return new Tensor(name, buffer, offset, type, newShape);
    }

    /** The same elements under another name. */
    public Tensor named(String newName) {
        return new Tensor(newName, buffer, offset, type, shape);
    }

    /** The same elements as rows of that width. */
    public Tensor asRows(long width) {
        return rank() == 2 && shape[1] == width ? this : view(size / width, width);
    }

    /** The first {@code count} rows from row {@code first} on, along the first axis. */
    public Tensor rows(long first, long count) {
        if (first < 0 || count < 0 || first + count > shape[0]) {
            throw new IndexOutOfBoundsException("rows " + first + " to " + (first + count) + " of " + this);
        }
        long[] rows = shape.clone();
        rows[0] = count;
        return new Tensor(name, buffer, offset + first * rowSize() * type.bytes(), type, rows);
    }

    /** This tensor's bytes, for tensors in host memory. */
    public MemorySegment segment() {
        if (segment == null) {
            throw new IllegalStateException(this + " is not in host memory");
        }
        return segment;
    }

    /** Element {@code i} in row-major order, widened; host memory only. */
    public double get(long i) {
        return switch (type) {
            case F32 -> segment.get(FLOAT, 4 * i);
            case F64 -> segment.get(DOUBLE, 8 * i);
            case BF16 -> Float.intBitsToFloat(segment.get(SHORT, 2 * i) << 16);
            case F16 -> Float.float16ToFloat(segment.get(SHORT, 2 * i));
            case I32 -> segment.get(INT, 4 * i);
        };
    }

    /** Element {@code i} of an I32 tensor; host memory only. */
    public int getInt(long i) {
        return segment.get(INT, 4 * i);
    }

    /** Stores into an I32 tensor; host memory only. */
    public void setInt(long i, int value) {
        segment.set(INT, 4 * i, value);
    }

    /** Stores {@code value} rounded to the tensor's type (to nearest, ties to even); host memory only. */
    public void set(long i, double value) {
        switch (type) {
            case F32 -> segment.set(FLOAT, 4 * i, (float) value);
            case F64 -> segment.set(DOUBLE, 8 * i, value);
            case BF16 -> segment.set(SHORT, 2 * i, bf16((float) value));
            case F16 -> segment.set(SHORT, 2 * i, Float.floatToFloat16((float) value));
            case I32 -> segment.set(INT, 4 * i, (int) value);
        }
    }

    /** The BF16 nearest to {@code value}, ties to even. */
    public static short bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    @Override
    public String toString() {
        return name + Arrays.toString(shape) + ":" + type;
    }
}
