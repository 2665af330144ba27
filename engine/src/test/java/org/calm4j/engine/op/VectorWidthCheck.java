package org.calm4j.engine.op;

import org.calm4j.engine.op.cases.OpCase;
import org.calm4j.engine.op.simd.SimdBackend;

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
        int failures = 0;
        for (OpCase of : suite.cases()) {
            try {
                suite.check(of);
            } catch (AssertionError | RuntimeException e) {
                failures++;
                System.out.println(of.name() + ": " + e);
            }
        }
        try (Backend backend = suite.open()) {
            System.out.println((failures == 0 ? "passed: " : failures + " failed: ") + backend.describe());
        }
    }
}
