package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;

/**
 * What a model consists of.
 *
 * @param modelType as its config.json has it
 * @param parameters in all, a tied head counted once, an adapter included
 * @param bytes of all tensors as they are stored
 * @param cacheBytesPerToken keys and values of a token in generation
 */
public record Inventory(
        @JsonProperty("model_type") String modelType,
        int layers,
        long parameters,
        long bytes,
        @JsonProperty("cache_bytes_per_token") long cacheBytesPerToken,
        List<Part> tensors) {
    private static final int PIECE = 1 << 16;

    /**
     * A tensor.
     *
     * @param type that it has in its file
     * @param norm root of the sum of the squares
     * @param largest absolute value
     */
    public record Part(
            String name, long[] shape, String type, long parameters, long bytes, double norm, double largest) {}

    public static Inventory of(ModelFolder folder, Progress progress) {
        CausalLm model = folder.model();
        ModelConfig config = model.config();
        List<Tensor> tensors = new ArrayList<>(model.parameters().tensors());
        if (model.lora() != null) {
            tensors.addAll(model.lora().slab().tensors());
        }
        List<Part> parts = new ArrayList<>();
        progress.start("inspect", tensors.size());
        try {
            for (Tensor tensor : tensors) {
                parts.add(part(model, tensor));
                progress.at(parts.size(), tensor.name());
            }
        } finally {
            progress.end();
        }
        return new Inventory(
                config.json().path("model_type").asText(),
                config.layers(),
                parts.stream().mapToLong(Part::parameters).sum(),
                parts.stream().mapToLong(Part::bytes).sum(),
                2L
                        * config.layers()
                        * config.attention().keyWidth()
                        * model.backend().computeType().bytes(),
                parts);
    }

    private static Part part(CausalLm model, Tensor tensor) {
        Backend backend = model.backend();
        Tensor row = tensor.view(tensor.size());
        double[] values = new double[(int) Math.min(tensor.size(), PIECE)];
        double squares = 0;
        double largest = 0;
        for (long first = 0; first < tensor.size(); first += values.length) {
            int count = (int) Math.min(values.length, tensor.size() - first);
            backend.read(values, row.rows(first, count), count);
            for (int i = 0; i < count; i++) {
                squares += values[i] * values[i];
                largest = Math.max(largest, Math.abs(values[i]));
            }
        }
        var type = model.parameters().stored(tensor);
        return new Part(
                tensor.name(),
                tensor.shape(),
                type.name(),
                tensor.size(),
                tensor.size() * type.bytes(),
                Math.sqrt(squares),
                largest);
    }
}
