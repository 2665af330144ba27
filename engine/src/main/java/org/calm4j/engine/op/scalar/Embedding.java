package org.calm4j.engine.op.scalar;

import org.calm4j.engine.tensor.Tensor;

/** Rows of a table (V,C) by their indices (T). */
final class Embedding {
    private Embedding() {}

    /** Sets or adds {@code out[t,c] = table[index[t],c]}. */
    static void forward(Tensor out, Tensor table, Tensor index, boolean add) {
        long c = table.dim(1);
        for (long t = 0; t < index.size(); t++) {
            long row = index.getInt(t) * c;
            for (long i = 0; i < c; i++) {
                out.set(t * c + i, table.get(row + i) + (add ? out.get(t * c + i) : 0));
            }
        }
    }

    /** Adds {@code dTable[index[t],c] += dOut[t,c]}, t after t. */
    static void backward(Tensor dTable, Tensor dOut, Tensor index) {
        long c = dTable.dim(1);
        for (long t = 0; t < index.size(); t++) {
            long row = index.getInt(t) * c;
            for (long i = 0; i < c; i++) {
                dTable.set(row + i, dTable.get(row + i) + dOut.get(t * c + i));
            }
        }
    }

    /** Sets {@code to[index[t],c] = from[t,c]}. */
    static void scatter(Tensor to, Tensor from, Tensor index) {
        long c = to.dim(1);
        for (long t = 0; t < index.size(); t++) {
            for (long i = 0; i < c; i++) {
                to.set(index.getInt(t) * c + i, from.get(t * c + i));
            }
        }
    }
}
