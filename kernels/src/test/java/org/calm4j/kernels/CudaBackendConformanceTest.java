package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import it.unimi.dsi.fastutil.ints.IntSets;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.BackendConformance;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.TokenFilter;
import org.calm4j.engine.op.cases.Tolerances;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The operations on the GPU, or on its stand-in, against the scalar definition. The logits come in pieces of few columns. */
class CudaBackendConformanceTest extends BackendConformance {
    /** A property: one case of so many is run; a sanitizer makes all of them slow. */
    static final String ONE_CASE_OF = "calm.oneCaseOf";

    private static final int COLUMNS = 100;
    private static CudaBackend backend;

    @BeforeAll
    static void loadLibraries() {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
    }

    @AfterAll
    static void closeDevice() {
        if (backend != null) {
            CudaBackend closing = backend;
            backend = null;
            closing.close();
            assertThat(StandIn.isPresent() ? StandIn.live() : "")
                    .as("what was left behind")
                    .isEmpty();
        }
    }

    /** The one device for all cases: to open it anew for each takes longer than the case. */
    @Override
    protected Backend open() {
        if (backend == null) {
            backend = new CudaBackend(0, precision(), COLUMNS, true);
        }
        return (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    try {
                        return method.getName().equals("close") ? null : method.invoke(backend, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    /** They have no best one; nothing behind them is read. */
    @Test
    void logitsThatAreNoNumbers() {
        try (Backend b = open();
                Buffer buffer = b.allocate(4 * 33)) {
            Tensor logits = new Tensor("logits", buffer, 0, DType.F32, 1, 33);
            double[] nothing = new double[33];
            Arrays.fill(nothing, Double.NaN);
            b.write(logits, nothing, 33);
            Draws draws = new Draws();
            draws.add(0, 1, 0, IntSets.EMPTY_SET);
            b.sample(draws, logits, new TokenFilter(0, 0, 1, 0, 1));
            assertThat(draws.token(0)).isZero();
        }
    }

    Precision precision() {
        return Precision.F32;
    }

    @Override
    protected int oneCaseOf() {
        return Integer.getInteger(ONE_CASE_OF, StandIn.isPresent() ? StandIn.isCheck() ? 13 : 3 : 1);
    }

    @Override
    protected int chunk() {
        return COLUMNS;
    }

    /**
     * A GPU's exponential may be off by two units in the last place, 1.2e-7 each, beside the roundings that all have. One chain of F32 per element of
     * dK and dV, up to 590 terms here: √590 · 6e-8 of their magnitude, and twice that for the largest.
     */
    @Override
    protected Tolerances tolerances() {
        return new Tolerances(4e-7, 3e-6, Tolerances.SUM);
    }
}
