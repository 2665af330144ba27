package org.calm4j.engine.op.simd.vec;

import it.unimi.dsi.fastutil.longs.Long2ObjectOpenHashMap;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * Copies of constant weights in the panels that {@link Product} reads. A product of some ten rows spends most of its
 * time packing; so a weight that such products read repeatedly is packed once, in the memory of its buffer, until that is closed, while memory
 * allows.
 */
public final class FrozenWeights {
    /** The weights that one kind of product reads, by address. */
    private final class Side {
        private final Long2ObjectOpenHashMap<Frozen> weights = new Long2ObjectOpenHashMap<>();
        /** Whether the products' right side is the transposed weight. */
        private final boolean transposed;

        private Side(boolean transposed) {
            this.transposed = transposed;
        }

        /** Null where the weight is not frozen. */
        private Frozen find(Tensor w) {
            long address = Native.any(w);
            Frozen frozen = weights.get(address);
            if (frozen == null
                    || frozen.weight.type() != w.type()
                    || frozen.weight.size() != w.size()
                    || frozen.weight.dim(0) != w.dim(0)) {
                return null;
            }
            if (!frozen.weight.segment().scope().isAlive()) {
                weights.remove(address);
                return null;
            }
            return frozen;
        }

        private long panels(Tensor w) {
            Frozen frozen = find(w);
            if (frozen == null) {
                return 0;
            }
            if (frozen.panels == 0 && !frozen.wasRead) {
                frozen.wasRead = true;
            } else if (frozen.panels == 0 && !frozen.stays) {
                pack(frozen);
            }
            return frozen.panels;
        }

        private void pack(Frozen frozen) {
            Tensor w = frozen.weight;
            int n = (int) w.dim(0);
            int k = (int) w.dim(1);
            long bytes = transposed ? Product.packedBytes(n, k) : Product.packedBytes(k, n);
            if (!HostBuffer.isPlentyFor(bytes + readBytes())) {
                frozen.stays = true;
                return;
            }
            long panels = ((HostBuffer) w.buffer()).beside(bytes).address();
            long stride = (long) w.type().bytes() * k;
            if (transposed) {
                product.rightTransposed(Native.any(w), stride, w.type()).packAll(panels, n, k);
            } else {
                product.right(Native.any(w), stride, w.type()).packAll(panels, k, n);
            }
            frozen.panels = panels;
        }
    }

    private static final class Frozen {
        private final Tensor weight;
        /** 0 if it is not packed. */
        private long panels;

        private boolean wasRead;
        /** Not packed because memory was short. */
        private boolean stays;

        private Frozen(Tensor weight) {
            this.weight = weight;
        }
    }

    private final Product product;
    private final Side forward = new Side(true);
    private final Side backward = new Side(false);

    public FrozenWeights(Product product) {
        this.product = product;
    }

    /** Marks a weight (N,K) as constant until its memory is closed. */
    public void add(Tensor w) {
        forward.weights
                .values()
                .removeIf(frozen -> !frozen.weight.segment().scope().isAlive());
        backward.weights
                .values()
                .removeIf(frozen -> !frozen.weight.segment().scope().isAlive());
        forward.weights.put(Native.any(w), new Frozen(w));
        backward.weights.put(Native.any(w), new Frozen(w));
    }

    /** Products of few rows read weights in files directly, which is fast only while they stay in memory. */
    private long readBytes() {
        return forward.weights.values().stream()
                .filter(frozen -> frozen.weight.segment().scope().isAlive())
                .mapToLong(frozen -> frozen.weight.bytes())
                .sum();
    }

    public boolean contains(Tensor w) {
        return forward.find(w) != null;
    }

    /** The panels of {@code wᵀ}, 0 if there are none. For products of many rows. */
    public long forward(Tensor w) {
        return forward.panels(w);
    }

    /** The panels of w. */
    public long backward(Tensor w) {
        return backward.panels(w);
    }
}
