package org.calm4j.engine.train.division;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;

/**
 * The sum of the gradients of a step's parts, in the order of a binary tree over the parts' numbers: (0 + 1) + (2 + 3), and so on. A rank adds
 * the subtree of its own parts; the levels above are {@link Collectives}. Sums of F32 depend on their order: a fixed one gives the same
 * bits for any number of ranks.
 */
public final class SumTree implements AutoCloseable {
    /** Computes the gradient of a part that has lines. */
    public interface Part {
        void gradient(int part, Gradients to);
    }

    private final Division division;
    private final Backend backend;
    private final Collectives collectives;
    private final List<Gradients> all = new ArrayList<>();
    /** Those that hold no sum. */
    private final Deque<Gradients> free = new ArrayDeque<>();

    public SumTree(Division division, CausalLm model) {
        this.division = division;
        backend = model.backend();
        collectives = new Collectives(division.ranks(), backend, division.parts());
        for (int i = 0; i < blocks(division); i++) {
            all.add(Gradients.like(model));
        }
    }

    /** Gradients in memory: a sum of each level below the own subtree's root may wait for its other half. */
    public static int blocks(Division division) {
        return 1 + Integer.numberOfTrailingZeros(division.share());
    }

    /**
     * Sums over all parts.
     *
     * @param present the parts that have lines; the others are left out
     * @return memory of this tree, until the next call
     */
    public Gradients sum(BitSet present, Part part) {
        free.clear();
        free.addAll(all);
        Gradients own = sum(division.first(), division.share(), present, part);
        if (own == null) {
            own = free.getFirst();
        }
        if (present.isEmpty()) {
            backend.zero(whole(own));
        }
        collectives.reduceScatter(whole(own), present);
        return own;
    }

    private Gradients sum(int first, int count, BitSet present, Part part) {
        if (count == 1) {
            if (!present.get(first)) {
                return null;
            }
            Gradients to = free.removeFirst();
            part.gradient(first, to);
            return to;
        }
        Gradients left = sum(first, count / 2, present, part);
        Gradients right = sum(first + count / 2, count / 2, present, part);
        if (left == null || right == null) {
            return left == null ? right : left;
        }
        backend.add(whole(left), whole(right));
        free.addFirst(right);
        return left;
    }

    /** Padding between tensors included, which is zero. */
    public Tensor whole(Gradients gradients) {
        return gradients.slab().whole(backend.computeType());
    }

    /** The memory of gradients, whose content is not needed between an update and the next sum. */
    public Tensor scratch() {
        return whole(all.getFirst());
    }

    public Collectives collectives() {
        return collectives;
    }

    @Override
    public void close() {
        all.forEach(each -> each.slab().close());
        collectives.close();
    }
}
