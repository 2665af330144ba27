package org.calm4j.engine.inspect;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.Tap;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * Vectors that are added at hook points, at every position, in training, scoring and generation alike.
 *
 * @param vectors of a row's size each
 */
public record Steering(Map<HookPoint.At, double[]> vectors) {
    /**
     * A safetensors file whose tensors have the names of hook points.
     *
     * @throws CalmException bad input: a tensor is of no point that can be changed, has another size than its rows, or is not finite
     */
    public static Steering read(Path file, ModelConfig config) {
        Map<String, HookPoint.At> points = HookPoint.all(config).stream()
                .filter(at -> at.point().isChangeable())
                .collect(Collectors.toMap(HookPoint.At::name, Function.identity()));
        Map<HookPoint.At, double[]> vectors = new LinkedHashMap<>();
        try (Safetensors opened = Safetensors.open(file)) {
            opened.tensors().forEach((name, tensor) -> {
                HookPoint.At at = points.get(name);
                if (at == null) {
                    throw CalmException.badInput(
                            file, "tensor " + name + " has no name of a hook point that this model has and can change");
                }
                long size = Tensor.product(at.point().shape(config, 1));
                if (tensor.size() != size) {
                    throw CalmException.badInput(
                            file,
                            "tensor " + name + " has " + tensor.size() + " values, the model's rows there " + size);
                }
                double[] vector = new double[Math.toIntExact(size)];
                Arrays.setAll(vector, tensor::get);
                if (!Arrays.stream(vector).allMatch(Double::isFinite)) {
                    throw CalmException.badInput(file, "tensor " + name + " is not finite");
                }
                vectors.put(at, vector);
            });
        }
        return new Steering(vectors);
    }

    /** Writes it as {@link #read} wants it, F32. */
    public void write(Path file, Map<String, String> metadata) {
        List<Tensor> tensors = new ArrayList<>();
        try {
            vectors.forEach((at, vector) -> {
                Tensor tensor = new Tensor(at.name(), new HostBuffer(4L * vector.length), 0, DType.F32, vector.length);
                tensors.add(tensor);
                for (int i = 0; i < vector.length; i++) {
                    tensor.set(i, vector[i]);
                }
            });
            Safetensors.write(file, tensors, metadata);
        } finally {
            tensors.forEach(tensor -> tensor.buffer().close());
        }
    }

    /** The same weights, steered by so many times the vectors. */
    public CausalLm on(CausalLm model, double scale) {
        Map<HookPoint.At, Edit> edits = new LinkedHashMap<>();
        vectors.forEach((at, vector) ->
                edits.put(at, Edit.add(Arrays.stream(vector).map(x -> scale * x).toArray(), Edit.Where.EVERYWHERE)));
        return model.tapped(new Adder(model.backend(), edits));
    }

    private record Adder(Backend backend, Map<HookPoint.At, Edit> edits) implements Tap {
        @Override
        public boolean wants(HookPoint point, int layer) {
            return edits.containsKey(new HookPoint.At(point, layer));
        }

        @Override
        public void value(HookPoint point, int layer, Tensor value) {
            double[] x = new double[Math.toIntExact(value.size())];
            backend.read(x, value, x.length);
            edits.get(new HookPoint.At(point, layer)).value(x, value.shape());
            backend.write(value, x, x.length);
        }

        /** What is added changes no gradient. */
        @Override
        public void gradient(HookPoint point, int layer, Tensor gradient) {}
    }
}
