package org.calm4j.engine.op;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.DoubleSupplier;
import org.calm4j.engine.tensor.Tensor;

/** A gradient against central differences over five points, in double precision: {@code (8(f₁ − f₋₁) − (f₂ − f₋₂)) / 12h}. */
public final class FiniteDifferences {
    private static final double STEP = 1e-3;
    private static final double TOLERANCE = 1e-9;

    private FiniteDifferences() {}

    /**
     * Every entry.
     *
     * @param x what is varied, F64; it is put back
     * @param dX the gradient of the objective with respect to it
     * @param objective computes all anew from x and whatever else it depends on
     */
    public static void check(String what, Tensor x, Tensor dX, DoubleSupplier objective) {
        assertThat(dX.size()).as("%s: size", what).isEqualTo(x.size());
        for (long i = 0; i < x.size(); i++) {
            assertClose(what + "[" + i + "]", dX.get(i), derivative(x, i, objective), TOLERANCE);
        }
    }

    /** The derivative with respect to one entry. */
    public static double derivative(Tensor x, long i, DoubleSupplier objective) {
        double value = x.get(i);
        double near = at(x, i, value + STEP, objective) - at(x, i, value - STEP, objective);
        double far = at(x, i, value + 2 * STEP, objective) - at(x, i, value - 2 * STEP, objective);
        x.set(i, value);
        return (8 * near - far) / (12 * STEP);
    }

    private static double at(Tensor x, long i, double value, DoubleSupplier objective) {
        x.set(i, value);
        return objective.getAsDouble();
    }

    /** The difference is at most {@code tolerance}, or that share of the expected value where this is above 1. */
    static void assertClose(String what, double actual, double expected, double tolerance) {
        // Written so that NaN fails.
        boolean close = Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected));
        assertThat(close).as("%s is %s, expected %s", what, actual, expected).isTrue();
    }
}
