package org.calm4j.kernels;

import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.cases.Tolerances;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.Tag;

/** The same operations where products and attention round their operands to BF16. */
@Tag("slow")
final class CudaBf16ConformanceTest extends CudaBackendConformanceTest {
    @Override
    Precision precision() {
        return Precision.BF16;
    }

    /** Fewer: mma is slow to emulate, and its tiles have their own test, {@link Bf16AttentionTest}. */
    @Override
    protected int oneCaseOf() {
        return Integer.getInteger(ONE_CASE_OF, StandIn.isPresent() ? StandIn.isCheck() ? 31 : 7 : 1);
    }

    /**
     * An operand is off by 2⁻⁸ of itself at most, 1.6e-3 typically; a sum of products by √2 times that of its typical size, 4.5 times as much
     * where it is worst among thousands, and √2 times as much again where the result is an operand of the next product.
     */
    @Override
    protected Tolerances tolerances() {
        Tolerances exact = super.tolerances();
        return new Tolerances(exact.rounding(), exact.chain(), 1.6e-2);
    }
}
