package org.calm4j.kernels;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.BackendConformance;
import org.calm4j.engine.op.Precision;
import org.junit.jupiter.api.BeforeAll;

/** The operations on the GPU, or on its stand-in, against the scalar definition. The logits come in pieces of few columns. */
final class CudaBackendConformanceTest extends BackendConformance {
    private static final long COLUMNS = 100;

    @BeforeAll
    static void load() {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
    }

    @Override
    protected Backend open() {
        return new CudaBackend(0, Precision.F32, COLUMNS);
    }
}
