package org.calm4j.engine.train.optim;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** What an optimizer keeps of the trained weights between steps, and what it does with it in a step. */
public interface OptimizerState extends AutoCloseable {
    /** The prefix of first moments in a checkpoint, as PyTorch names them. */
    String FIRST = "exp_avg.";

    /** That of second moments. */
    String SECOND = "exp_avg_sq.";

    /** The tensors of a checkpoint. */
    interface Stored {
        /** @throws org.calm4j.engine.CalmException bad input: it is missing, or has another size */
        Tensor get(String name, long size);
    }

    /**
     * Begins a step that changes the weights.
     *
     * @param height of the learning rate, as a share of its peak
     * @param updates how many there have been, this one included
     */
    default void begin(double height, int updates) {}

    /**
     * Changes weights of one learning rate.
     *
     * @param decay of each weight
     * @param gradScale the factor of gradients
     * @param updates how many there have been, this one included
     */
    void update(
            List<Tensor> weights, List<Tensor> gradients, double rate, double[] decay, double gradScale, int updates);

    /** What a checkpoint keeps, by the prefix of its names there; empty where {@link #saved} says otherwise. */
    Map<String, Slab> slabs();

    /** Numbers that a checkpoint keeps, by name, in the same order each time. */
    default Map<String, Double> numbers() {
        return Map.of();
    }

    /** All of {@link #slabs} under the names that it has in a checkpoint. */
    default List<Tensor> saved() {
        List<Tensor> all = new ArrayList<>();
        slabs().forEach((prefix, slab) -> slab.tensors().forEach(each -> all.add(each.named(prefix + each.name()))));
        return all;
    }

    /** Other ranks call it while rank 0 reads what {@link #saved} gave, and rank 0 afterwards. */
    default void lend() {}

    /** Goes on from what {@link #saved} and {@link #numbers} gave. */
    default void load(Backend backend, Stored stored, Map<String, Double> numbers) {
        slabs().forEach((prefix, slab) ->
                slab.tensors().forEach(to -> backend.copy(to, stored.get(prefix + to.name(), to.size()))));
    }

    /** Whether the weights that are trained are not those of the model. */
    default boolean trainsOtherWeights() {
        return false;
    }

    /** Sets the weights, which are those that are trained, to those of the model. */
    default void toModel(Slab weights) {}

    /** Bytes that it takes. */
    long bytes();

    @Override
    void close();
}
