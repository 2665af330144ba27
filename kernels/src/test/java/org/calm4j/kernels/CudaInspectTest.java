package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.inspect.Edit;
import org.calm4j.engine.inspect.HookOracle;
import org.calm4j.engine.inspect.Inspector;
import org.calm4j.engine.inspect.Selection;
import org.calm4j.engine.inspect.Trace;
import org.calm4j.engine.inspect.Variants;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.HookPoint;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.model.TinyModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every hook point on the GPU, or on its stand-in. */
@Tag("slow")
final class CudaInspectTest {
    @BeforeAll
    static void load() {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
    }

    static List<String> models() {
        return OracleModel.NAMES;
    }

    @ParameterizedTest
    @MethodSource("models")
    void valuesAndGradientsAreAutograds(String model) {
        try (Backend backend = new CudaBackend(0, Precision.F32)) {
            HookOracle.check(backend, model, 1e-5);
        }
    }

    @Test
    void copiesFromALayerOnAreWholeRuns() {
        int[] text = {3, 1, 4, 1, 5, 9};
        HookPoint.At at = new HookPoint.At(HookPoint.MLP_OUT, 1);
        try (Backend backend = new CudaBackend(0, Precision.F32)) {
            CausalLm model = TinyModel.random(backend, "qwen3");
            Selection all = Selection.of(model.config(), "*");
            try (Slab _ = model.parameters().slab();
                    Inspector inspector = new Inspector(model, text.length);
                    Variants variants = new Variants(model, text.length);
                    Trace own = inspector.run(text, all)) {
                List<Edit> edits = IntStream.range(0, text.length)
                        .mapToObj(row -> Edit.scale(-2, Edit.Where.row(row)))
                        .toList();
                List<double[]> found = variants.logits(text, at, own.value(Variants.stream(at, model.config())), edits);
                for (int row = 0; row < text.length; row++) {
                    try (Inspector.Handle _ = inspector.edit(at.name(), edits.get(row));
                            Trace alone = inspector.run(text, all)) {
                        double[] logits = alone.values("logits");
                        int words = model.config().vocabulary().size();
                        assertThat(found.get(row))
                                .containsExactly(
                                        Arrays.copyOfRange(logits, logits.length - words, logits.length), within(1e-5));
                    }
                }
            }
        }
    }
}
