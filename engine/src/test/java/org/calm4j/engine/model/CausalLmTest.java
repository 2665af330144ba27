package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The whole model's gradient in double precision against central differences, entry by entry. */
final class CausalLmTest {
    private static final double STEP = 1e-5;
    private final Backend backend = new ScalarBackend(DType.F64);

    @Tag("slow")
    @ParameterizedTest
    @MethodSource("kinds")
    void gradientOfAllParametersAgreesWithFiniteDifferences(String kind) {
        CausalLm model = TinyModel.random(backend, kind);
        Parameters gradient = new Parameters(backend, model.config());
        check(
                model,
                model.parameters().slab(),
                gradient.slab(),
                new Gradients(gradient, null),
                Activations.Purpose.TRAINING,
                null);
    }

    static List<String> kinds() {
        return TinyModel.KINDS;
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void gradientCheckpointingChangesNoBit(String kind) {
        CausalLm model = TinyModel.random(backend, kind);
        Parameters kept = new Parameters(backend, model.config());
        Parameters computedAnew = new Parameters(backend, model.config());
        backward(model, new Gradients(kept, null), Activations.Purpose.TRAINING, null, false);
        backward(model, new Gradients(computedAnew, null), Activations.Purpose.CHECKPOINTING, null, false);
        Iterator<Tensor> other = computedAnew.slab().tensors().iterator();
        for (Tensor tensor : kept.slab().tensors()) {
            assertThat(read(tensor)).as(tensor.name()).isEqualTo(read(other.next()));
        }
    }

    @ParameterizedTest
    @CsvSource({"llama,0", "llama,0.4", "qwen3,0.4", "gpt2,0.4"})
    void gradientOfTheAdapterAgreesWithFiniteDifferences(String kind, double dropout) {
        CausalLm model = TinyModel.withLora(backend, kind, dropout);
        Lora gradient = model.lora().zeros();
        check(
                model,
                model.lora().slab(),
                gradient.slab(),
                new Gradients(null, gradient),
                Activations.Purpose.CHECKPOINTING,
                77L);
    }

    /** The norm of DoRA's rows counts as constant: it stays what it was while A and B are moved. */
    @ParameterizedTest
    @CsvSource({"llama,0", "llama,0.4", "gpt2,0", "gpt2,0.4"})
    void gradientOfMagnitudesAgreesWithFiniteDifferences(String kind, double dropout) {
        CausalLm model = TinyModel.withLora(backend, kind, dora(kind, dropout));
        Lora gradient = model.lora().zeros();
        Gradients gradients = new Gradients(null, gradient);
        check(
                model,
                model.lora().slab(),
                gradient.slab(),
                gradients,
                Activations.Purpose.CHECKPOINTING,
                77L,
                tensor -> {
                    if (tensor.name().endsWith("magnitude_vector")) {
                        model.lora().changed();
                    }
                });
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "gpt2"})
    void gradientFlowsThroughMagnitudes(String kind) {
        CausalLm model = TinyModel.withLora(backend, kind, dora(kind, 0.3));
        Parameters gradient = new Parameters(backend, model.config());
        Gradients gradients = new Gradients(gradient, null);
        // Of weights that are not adapted: the gradient of an adapted one is not computed.
        List<Tensor> others = gradient.slab().tensors().stream()
                .filter(tensor -> tensor.rank() == 1 && !tensor.name().endsWith("bias"))
                .toList();
        backward(model, gradients, Activations.Purpose.TRAINING, 5L, false);
        try (Activations activations = TinyModel.activations(model, Activations.Purpose.INFERENCE)) {
            for (Tensor d : others) {
                compare(model, model.parameters().get(d.name()), d, activations, 5L, tensor -> {});
            }
        }
    }

    private static LoraSettings dora(String kind, double dropout) {
        return new LoraSettings(
                3,
                6,
                dropout,
                false,
                TinyModel.config(kind).layout().projections(),
                null,
                List.of(),
                Map.of(),
                Map.of(),
                true,
                LoraSettings.Start.TRUE,
                List.of());
    }

    /** Inputs must get their gradient through the adapters too: all parameters trained while an adapter is on. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "gpt2"})
    void gradientFlowsThroughAdapters(String kind) {
        CausalLm model = TinyModel.withLora(backend, kind, 0.3);
        Parameters gradient = new Parameters(backend, model.config());
        check(
                model,
                model.parameters().slab(),
                gradient.slab(),
                new Gradients(gradient, null),
                Activations.Purpose.TRAINING,
                5L);
    }

    /** A second pass that adds doubles what the first one set. */
    @ParameterizedTest
    @MethodSource("kinds")
    void gradientsAreAdded(String kind) {
        CausalLm model = TinyModel.withLora(backend, kind, 0);
        Parameters gradient = new Parameters(backend, model.config());
        Lora adapter = model.lora().zeros();
        Gradients gradients = new Gradients(gradient, adapter);
        backward(model, gradients, Activations.Purpose.TRAINING, null, false);
        List<Tensor> tensors = Stream.of(gradient.slab(), adapter.slab())
                .flatMap(slab -> slab.tensors().stream())
                .toList();
        List<double[]> once = tensors.stream().map(CausalLmTest::read).toList();
        backward(model, gradients, Activations.Purpose.TRAINING, null, true);
        for (int t = 0; t < tensors.size(); t++) {
            double[] twice = read(tensors.get(t));
            for (int i = 0; i < twice.length; i++) {
                assertThat(twice[i]).as(tensors.get(t).name()).isCloseTo(2 * once.get(t)[i], within(1e-12));
            }
        }
    }

    /** A prompt shared by two continuations gives what two separate sequences give. */
    @ParameterizedTest
    @MethodSource("kinds")
    void sharedPromptEqualsSeparateSequences(String kind) {
        CausalLm model = TinyModel.random(backend, kind);
        double[] shared = logProbs(model, TinyModel.batch());
        PackedBatch separate = new PackedBatch();
        separate.add(new int[] {3, 1, 4, 1, 5, 9, 2}, 2);
        separate.add(new int[] {6, 5, 3, 5, 8, 9, 7}, 3);
        separate.add(new int[] {6, 5, 3, 22}, 3);
        separate.add(new int[] {11, 12}, 1);
        double[] alone = logProbs(model, separate);
        assertThat(shared).hasSameSizeAs(alone);
        for (int i = 0; i < shared.length; i++) {
            assertThat(shared[i]).isCloseTo(alone[i], within(1e-12));
        }
    }

    private void check(
            CausalLm model,
            Slab weights,
            Slab gradient,
            Gradients gradients,
            Activations.Purpose purpose,
            Long dropout) {
        check(model, weights, gradient, gradients, purpose, dropout, tensor -> {});
    }

    /** @param changed told after an entry of a tensor was changed */
    private void check(
            CausalLm model,
            Slab weights,
            Slab gradient,
            Gradients gradients,
            Activations.Purpose purpose,
            Long dropout,
            Consumer<Tensor> changed) {
        for (Tensor tensor : gradient.tensors()) {
            for (long i = 0; i < tensor.size(); i++) {
                tensor.set(i, Double.NaN);
            }
        }
        backward(model, gradients, purpose, dropout, false);
        Iterator<Tensor> d = gradient.tensors().iterator();
        try (Activations activations = TinyModel.activations(model, Activations.Purpose.INFERENCE)) {
            for (Tensor weight : weights.tensors()) {
                compare(model, weight, d.next(), activations, dropout, changed);
            }
        }
    }

    private static void compare(
            CausalLm model,
            Tensor weight,
            Tensor dWeight,
            Activations activations,
            Long dropout,
            Consumer<Tensor> changed) {
        // A fifth of the entries of each tensor: all kinds of places, a fifth of the time.
        for (long i = 0; i < weight.size(); i += 5) {
            double value = weight.get(i);
            weight.set(i, value + STEP);
            changed.accept(weight);
            double up = objective(model, activations, dropout);
            weight.set(i, value - STEP);
            changed.accept(weight);
            double down = objective(model, activations, dropout);
            weight.set(i, value);
            changed.accept(weight);
            assertThat(dWeight.get(i)).as("%s[%d]", weight.name(), i).isCloseTo((up - down) / (2 * STEP), within(1e-7));
        }
    }

    private static void backward(
            CausalLm model, Gradients gradients, Activations.Purpose purpose, Long dropout, boolean add) {
        PackedBatch batch = TinyModel.batch();
        try (Activations activations = TinyModel.activations(model, purpose)) {
            model.forward(activations, batch, dropout);
            model.backward(gradients, activations, batch, coefficients(batch.scored()), dropout, add);
        }
    }

    /** What a tap changed is changed again where the backward pass repeats a layer, and not twice. */
    @ParameterizedTest
    @MethodSource("kinds")
    void tapsAndRepeatedLayersGiveTheSameGradients(String kind) {
        try (Backend backend = new ScalarBackend(DType.F64)) {
            CausalLm model = TinyModel.random(backend, kind);
            try (Parameters kept = new Parameters(backend, model.config());
                    Parameters repeated = new Parameters(backend, model.config())) {
                CausalLm tapped = model.tapped(new Shrinking(backend));
                backward(tapped, new Gradients(kept, null), Activations.Purpose.TRAINING, null, false);
                backward(tapped, new Gradients(repeated, null), Activations.Purpose.CHECKPOINTING, null, false);
                Iterator<Tensor> other = repeated.tensors().iterator();
                for (Tensor gradient : kept.tensors()) {
                    Tensor same = other.next();
                    for (long i = 0; i < gradient.size(); i++) {
                        assertThat(same.get(i)).as("%s[%d]", gradient.name(), i).isEqualTo(gradient.get(i));
                    }
                }
            }
        }
    }

    /** Makes all that can be changed a little smaller. */
    private record Shrinking(Backend backend) implements Tap {
        @Override
        public boolean wants(HookPoint point, int layer) {
            return point.isChangeable();
        }

        @Override
        public void value(HookPoint point, int layer, Tensor value) {
            double[] x = new double[(int) value.size()];
            backend.read(x, value, x.length);
            Arrays.setAll(x, i -> 0.9 * x[i]);
            backend.write(value, x, x.length);
        }

        @Override
        public void gradient(HookPoint point, int layer, Tensor gradient) {
            value(point, layer, gradient);
        }
    }

    private static double objective(CausalLm model, Activations activations, Long dropout) {
        PackedBatch batch = TinyModel.batch();
        model.forward(activations, batch, dropout);
        double[] logProbs = new double[batch.scored()];
        activations.readLogProbs(logProbs);
        double[] coefficients = coefficients(batch.scored());
        double sum = 0;
        for (int i = 0; i < logProbs.length; i++) {
            sum += coefficients[i] * logProbs[i];
        }
        return sum;
    }

    private static double[] coefficients(int n) {
        double[] coefficients = new double[n];
        for (int i = 0; i < n; i++) {
            coefficients[i] = Math.cos(1.7 * i + 0.3);
        }
        return coefficients;
    }

    private static double[] logProbs(CausalLm model, PackedBatch batch) {
        try (Activations activations = TinyModel.activations(model, Activations.Purpose.INFERENCE)) {
            model.forward(activations, batch, null);
            double[] logProbs = new double[batch.scored()];
            activations.readLogProbs(logProbs);
            return logProbs;
        }
    }

    private static double[] read(Tensor tensor) {
        double[] values = new double[(int) tensor.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = tensor.get(i);
        }
        return values;
    }
}
