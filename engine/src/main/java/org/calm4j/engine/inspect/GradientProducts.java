package org.calm4j.engine.inspect;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** Several gradients beside each other and their inner products, in the backend's memory, which is kept from one use to the next. */
public final class GradientProducts implements AutoCloseable {
    private final CausalLm model;
    private final Backend backend;
    private final List<Gradients> gradients = new ArrayList<>();
    private Gradients sum;

    public GradientProducts(CausalLm model) {
        this.model = model;
        backend = model.backend();
    }

    /** Where the gradient of this number, from 0, belongs. */
    public Gradients get(int number) {
        while (gradients.size() <= number) {
            gradients.add(Gradients.like(model));
        }
        return gradients.get(number);
    }

    /** The inner products of the first {@code count} gradients, {@code a·b = (‖a+b‖² − ‖a‖² − ‖b‖²)/2}. */
    public double[][] products(int count) {
        double[][] products = new double[count][count];
        for (int a = 0; a < count; a++) {
            products[a][a] = square(get(a).slab());
        }
        for (int a = 0; a < count; a++) {
            for (int b = 0; b < a; b++) {
                products[a][b] = (squareOfSum(get(a).slab(), get(b).slab()) - products[a][a] - products[b][b]) / 2;
                products[b][a] = products[a][b];
            }
        }
        return products;
    }

    /** {@code ‖g‖²}. */
    public double square(int number) {
        return square(get(number).slab());
    }

    private double square(Slab slab) {
        return backend.sumOfSquares(slab.whole(backend.computeType()));
    }

    private double squareOfSum(Slab a, Slab b) {
        if (sum == null) {
            sum = Gradients.like(model);
        }
        for (Tensor tensor : sum.slab().tensors()) {
            backend.copy(tensor, a.get(tensor.name()));
            backend.add(tensor, b.get(tensor.name()));
        }
        return square(sum.slab());
    }

    @Override
    public void close() {
        gradients.forEach(each -> each.slab().close());
        if (sum != null) {
            sum.slab().close();
        }
    }
}
