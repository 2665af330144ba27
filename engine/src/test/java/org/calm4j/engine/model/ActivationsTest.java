package org.calm4j.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.config.Projection;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Which tensors share memory, and what becomes of them when the batch has another size. */
final class ActivationsTest {
    private static final Activations.Capacity CAPACITY = new Activations.Capacity(20, 10, 16, 4, 3);

    private final Backend backend = new ScalarBackend();

    @ParameterizedTest
    @CsvSource({"INFERENCE,true,true", "CHECKPOINTING,false,true", "TRAINING,false,false"})
    void layersShareWhatNeedNotLast(Activations.Purpose purpose, boolean inputs, boolean others) {
        ModelConfig config = TinyModel.config("qwen3");
        try (Activations activations = new Activations(backend, config, purpose, CAPACITY)) {
            LayerActivations first = activations.layer(0);
            LayerActivations second = activations.layer(1);
            assertThat(first.input.offset() == second.input.offset()).isEqualTo(inputs);
            assertThat(first.rawQ.offset() == second.rawQ.offset()).isEqualTo(others);
            assertThat(first.low(Projection.UP, 2).offset()
                            == second.low(Projection.UP, 2).offset())
                    .isEqualTo(others);
        }
    }

    static List<String> kinds() {
        return TinyModel.KINDS;
    }

    /** All that is declared, of both layers, in the order of memory: each begins where the one before ends, or later. */
    @ParameterizedTest
    @MethodSource("kinds")
    void nothingElseOverlaps(String kind) throws IllegalAccessException {
        ModelConfig config = TinyModel.config(kind);
        for (int rows : new int[] {20, 7}) {
            try (Activations activations = new Activations(backend, config, Activations.Purpose.TRAINING, CAPACITY)) {
                activations.fit(rows, rows / 2);
                List<Tensor> tensors = new ArrayList<>();
                tensors.addAll(fields(activations.batch()));
                tensors.addAll(fields(activations.layer(0)));
                tensors.addAll(fields(activations.layer(1)));
                tensors.addAll(fields(activations.gradients()));
                List<Tensor> sorted = tensors.stream()
                        .distinct()
                        .sorted(Comparator.comparingLong(Tensor::offset))
                        .toList();
                assertThat(sorted).hasSizeGreaterThan(50);
                long end = 0;
                for (Tensor tensor : sorted) {
                    assertThat(tensor.offset()).as(tensor.toString()).isGreaterThanOrEqualTo(end);
                    end = tensor.offset() + tensor.bytes();
                }
                assertThat(end)
                        .isLessThanOrEqualTo(activations.batch().tokens.buffer().bytes());
            }
        }
    }

    private static List<Tensor> fields(Slots slots) throws IllegalAccessException {
        List<Tensor> tensors = new ArrayList<>();
        for (var field : slots.getClass().getDeclaredFields()) {
            if (field.getType() == Tensor.class) {
                field.setAccessible(true);
                if (field.get(slots) != null) {
                    tensors.add((Tensor) field.get(slots));
                }
            }
        }
        return tensors;
    }

    @Test
    void viewsHaveTheSizeOfTheBatch() {
        ModelConfig config = TinyModel.config("llama");
        try (Activations activations = new Activations(backend, config, Activations.Purpose.INFERENCE, CAPACITY)) {
            Tensor whole = activations.layer(1).q;
            activations.fit(7, 5);
            assertThat(activations.layer(1).q.offset()).isEqualTo(whole.offset());
            assertThat(activations.layer(1).q.shape()).containsExactly(7, 4, 6);
            assertThat(activations.batch().norm.shape()).containsExactly(5, 12);
            assertThat(activations.batch().logits.shape()).containsExactly(4, 23);
            assertThat(activations.batch().cosine.shape()).containsExactly(16, 3);
            assertThatThrownBy(() -> activations.fit(21, 5)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
