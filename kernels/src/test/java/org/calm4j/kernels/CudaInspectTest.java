package org.calm4j.kernels;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import org.calm4j.engine.inspect.HookOracle;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
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
}
