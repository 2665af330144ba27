package org.calm4j.engine.model;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.Tensor;

/** Why a model's outputs are not finite. */
public final class NotFinite {
    private static final int CHUNK = 1 << 16;

    private NotFinite() {}

    /**
     * Bad input with the first weight that is not finite, or, if all are, that they are too large together. Reads all weights.
     */
    public static CalmException explain(CausalLm model) {
        List<Tensor> weights = new ArrayList<>(model.parameters().tensors());
        weights.addAll(model.lora() == null ? List.of() : model.lora().slab().tensors());
        double[] values = new double[CHUNK];
        for (Tensor weight : weights) {
            Tensor row = weight.view(weight.size());
            for (long first = 0; first < weight.size(); first += values.length) {
                int count = (int) Math.min(values.length, weight.size() - first);
                model.backend().read(values, row.rows(first, count), count);
                for (int i = 0; i < count; i++) {
                    if (!Double.isFinite(values[i])) {
                        return CalmException.badInput(
                                "tensor " + weight.name(),
                                "element " + (first + i) + " is " + values[i] + "; the model's weights are broken");
                    }
                }
            }
        }
        return CalmException.failed(
                "the model's outputs are not finite, although all its weights are; they are too large for its arithmetic",
                null);
    }
}
