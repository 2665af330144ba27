package org.calm4j.engine.op;

import java.util.List;
import org.calm4j.engine.op.simd.SimdBackend;
import org.calm4j.engine.tensor.DType;

/** The conformance suite in a virtual machine of its own, whose flags decide the width of vectors; says so when it passed. */
public final class VectorWidthCheck {
    private VectorWidthCheck() {}

    public static void main(String[] args) {
        BackendConformance suite = new BackendConformance() {
            @Override
            protected Backend open() {
                return new SimdBackend(1);
            }
        };
        for (int t : new int[] {1, 7, 9, 33}) {
            for (int[] size : new int[][] {{1, 3}, {17, 16}, {33, 65}, {130, 31}, {70, 300}}) {
                for (DType type : List.of(DType.F32, DType.BF16, DType.F16)) {
                    suite.linear(t, size[0], size[1], type);
                }
            }
        }
        suite.attention();
        suite.tokenLogProb();
        suite.rmsNorm();
        suite.layerNorm();
        suite.bias();
        suite.gelu();
        suite.rope();
        suite.swiGlu();
        suite.optimizerAndDropout();
        suite.frozenWeights();
        try (Backend backend = suite.open()) {
            System.out.println("passed: " + backend.describe());
        }
    }
}
