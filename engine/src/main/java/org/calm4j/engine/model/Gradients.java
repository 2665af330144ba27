package org.calm4j.engine.model;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** The targets of gradients: all parameters, the adapter alone, or neither. Either may be null. */
public record Gradients(Parameters parameters, Lora lora) {
    /** Memory for the gradients of what training changes: the adapter, or without one all parameters. */
    public static Gradients like(CausalLm model) {
        return model.lora() == null
                ? new Gradients(new Parameters(model.backend(), model.config()), null)
                : new Gradients(null, model.lora().zeros());
    }

    /** Of one of the two. */
    public Slab slab() {
        return lora == null ? parameters.slab() : lora.slab();
    }

    /** The gradient of a weight of the model or its adapter; null where it is frozen, or the weight itself is null. */
    Tensor of(Tensor weight) {
        if (weight == null) {
            return null;
        }
        Tensor gradient = parameters == null ? null : parameters.get(weight.name());
        return gradient != null || lora == null ? gradient : lora.slab().get(weight.name());
    }

    /** Clears the gradients of norms, biases and embeddings, which are only added to; those of products are set. */
    void clearSums(Backend backend) {
        if (lora != null) {
            lora.wholeSums().forEach(backend::zero);
        }
        if (parameters != null) {
            parameters.tensors().stream().filter(d -> !isProduct(d)).forEach(backend::zero);
        }
    }

    private boolean isProduct(Tensor d) {
        return d == parameters.head() || d.rank() == 2 && d != parameters.embedding() && d != parameters.positions();
    }
}
