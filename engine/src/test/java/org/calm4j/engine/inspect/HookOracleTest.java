package org.calm4j.engine.inspect;

import java.util.stream.Stream;
import org.calm4j.engine.model.OracleModel;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Values and gradients at every hook point against float64 autograd, {@link HookOracle}. */
final class HookOracleTest {
    /** @param tolerance of a difference's norm, as a share of the tensor's */
    record Case(String folder, String backend, double tolerance) {
        Backend open() {
            return switch (backend) {
                case "scalar F64" -> new ScalarBackend(DType.F64);
                case "scalar F32" -> new ScalarBackend();
                default -> new SimdBackend(1);
            };
        }
    }

    static Stream<Case> cases() {
        return OracleModel.NAMES.stream()
                .flatMap(folder -> Stream.of(
                        new Case(folder, "scalar F64", 1e-11),
                        new Case(folder, "scalar F32", 1e-5),
                        new Case(folder, "simd", 1e-5)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void valuesAndGradients(Case c) {
        try (Backend backend = c.open()) {
            HookOracle.check(backend, c.folder, c.tolerance);
        }
    }
}
