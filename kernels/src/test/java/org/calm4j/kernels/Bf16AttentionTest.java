package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.op.Segments;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Attention on tensor cores, element by element. Inputs are BF16 numbers, so that nothing is rounded on the way in; what is left are the
 * weights (probabilities, gradients of scores), each off by 2⁻⁸ of itself at most when it becomes an operand. So an element is off by no
 * more than 2⁻⁸ of the sum of its terms' magnitudes, and what F32 adds.
 */
@Tag("slow")
final class Bf16AttentionTest {
    private static final double ROUNDING = 0x1p-8;
    /** Of F32: sums of 128 products in a score, and the exponential of it. */
    private static final double NOISE = 1e-5;

    private final Random random = new Random(3);
    private final List<Buffer> buffers = new ArrayList<>();

    @AfterEach
    void nothingIsReported() {
        assertThat(StandIn.isPresent() ? StandIn.report() : "").isEmpty();
    }

    /** Rows of a root, of its child (0: none), of the child's sibling, which begin and end within tiles of 64 and of 32. */
    @ParameterizedTest
    @CsvSource({
        "1, 0, 0, 1, 1, 16, 0",
        "63, 0, 0, 2, 1, 16, 0",
        "64, 0, 0, 1, 1, 64, 0",
        "65, 3, 1, 3, 1, 20, 0",
        "130, 0, 0, 4, 2, 64, 0",
        "70, 66, 10, 2, 2, 33, 0",
        "130, 40, 0, 2, 1, 128, 0",
        "97, 0, 33, 6, 2, 80, 0",
        "130, 70, 5, 2, 1, 16, 1",
        "130, 70, 5, 2, 1, 64, 30",
        "200, 0, 0, 1, 1, 128, 65",
        "31, 140, 70, 2, 1, 96, 100"
    })
    void withinTheBoundOfRounding(int root, int child, int sibling, int heads, int groups, int d, int window) {
        assumeTrue(CudaProbe.run().usable(), "a CUDA driver, or its stand-in");
        CudaNatives.loadCublas();
        Segments segments = new Segments();
        int rows = 0;
        // A row that belongs to nobody lies before each segment.
        int parent = segments.add(rows + 1, root, rows + 1, root, Segments.NONE);
        rows += 1 + root;
        for (int length : new int[] {child, sibling}) {
            if (length > 0) {
                segments.add(rows + 1, length, rows + 1, length, parent);
                rows += 1 + length;
            }
        }
        double[][] in = {
            random(rows * heads * d, 2),
            random(rows * groups * d, 2),
            random(rows * groups * d, 1),
            random(rows * heads * d, 1)
        };
        double[][] right;
        double[][] given;
        double[][] again;
        try (Backend scalar = new ScalarBackend(DType.F64);
                Backend cuda = new CudaBackend(0, Precision.BF16, TokenLogProb.COLUMNS, true)) {
            right = run(scalar, in, rows, heads, groups, d, segments, window, null);
            given = run(cuda, in, rows, heads, groups, d, segments, window, right);
            again = run(cuda, in, rows, heads, groups, d, segments, window, right);
            buffers.forEach(Buffer::close);
        }
        double[][] bounds = magnitudes(in, right, segments, heads, groups, d, window);
        String[] names = {"out", "lse", "dQ", "dK", "dV"};
        for (int i = 0; i < names.length; i++) {
            assertThat(again[i]).as(names[i] + " has the same bits each time").isEqualTo(given[i]);
            for (int e = 0; e < right[i].length; e++) {
                double bound = i == 1 ? NOISE : ROUNDING * bounds[i][e] + NOISE * Math.max(1, bounds[i][e]);
                assertThat(Math.abs(given[i][e] - right[i][e]))
                        .as("%s[%d]: %s for %s", names[i], e, given[i][e], right[i][e])
                        .isLessThanOrEqualTo(bound);
            }
        }
    }

    private double[] random(int n, double scale) {
        return random.doubles(n)
                .map(x -> Float.intBitsToFloat(Tensor.bf16((float) (scale * (2 * x - 1))) << 16))
                .toArray();
    }

    /** @param given out and lse that the backward pass takes; null for its own */
    private double[][] run(
            Backend b,
            double[][] in,
            int rows,
            int heads,
            int groups,
            int d,
            Segments segments,
            int window,
            double[][] given) {
        Tensor q = tensor(b, in[0], rows, heads, d);
        Tensor k = tensor(b, in[1], rows, groups, d);
        Tensor v = tensor(b, in[2], rows, groups, d);
        Tensor dOut = tensor(b, in[3], rows, heads, d);
        Tensor out = tensor(b, new double[in[0].length], rows, heads, d);
        Tensor lse = tensor(b, new double[rows * heads], rows, heads);
        Tensor dQ = tensor(b, new double[in[0].length], rows, heads, d);
        Tensor dK = tensor(b, new double[in[1].length], rows, groups, d);
        Tensor dV = tensor(b, new double[in[1].length], rows, groups, d);
        double scale = 1 / Math.sqrt(d);
        b.attentionForward(out, lse, q, k, v, segments, scale, window);
        double[] outs = values(b, out);
        double[] lses = values(b, lse);
        if (given != null) {
            b.write(out, given[0], given[0].length);
            b.write(lse, given[1], given[1].length);
        }
        b.attentionBackward(dQ, dK, dV, dOut, out, lse, q, k, v, segments, scale, window);
        return new double[][] {outs, lses, values(b, dQ), values(b, dK), values(b, dV)};
    }

    private Tensor tensor(Backend b, double[] values, long... shape) {
        Buffer buffer = b.allocate((long) b.computeType().bytes() * values.length);
        buffers.add(buffer);
        Tensor tensor = new Tensor("t", buffer, 0, b.computeType(), shape);
        b.write(tensor, values, values.length);
        return tensor;
    }

    private static double[] values(Backend b, Tensor tensor) {
        double[] values = new double[Math.toIntExact(tensor.size())];
        b.read(values, tensor, values.length);
        return values;
    }

    /** For each element of out, (lse,) dQ, dK, dV the sum of the magnitudes of what is added up. */
    private static double[][] magnitudes(
            double[][] in, double[][] right, Segments segments, int heads, int groups, int d, int window) {
        double[][] sums = {
            new double[in[0].length], null, new double[in[0].length], new double[in[1].length], new double[in[1].length]
        };
        double scale = 1 / Math.sqrt(d);
        for (int s = 0; s < segments.count(); s++) {
            for (int j = 0; j < segments.queryLength(s); j++) {
                int position = segments.depth(s) + segments.keyLength(s) - segments.queryLength(s) + j;
                for (int at = s; at != Segments.NONE; at = segments.parent(at)) {
                    for (int i = 0; i < segments.keyLength(at); i++) {
                        int key = segments.depth(at) + i;
                        if (key > position || window > 0 && key <= position - window) {
                            continue;
                        }
                        for (int h = 0; h < heads; h++) {
                            int query = (segments.queryStart(s) + j) * heads + h;
                            int row = ((segments.keyStart(at) + i) * groups + h / (heads / groups)) * d;
                            double dot = 0;
                            double dP = 0;
                            for (int e = 0; e < d; e++) {
                                dot += in[0][query * d + e] * in[1][row + e];
                                dP += in[3][query * d + e] * (in[2][row + e] - right[0][query * d + e]);
                            }
                            double p = Math.exp(scale * dot - right[1][query]);
                            for (int e = 0; e < d; e++) {
                                sums[0][query * d + e] += p * Math.abs(in[2][row + e]);
                                sums[2][query * d + e] += Math.abs(scale * p * dP * in[1][row + e]);
                                sums[3][row + e] += Math.abs(scale * p * dP * in[0][query * d + e]);
                                sums[4][row + e] += p * Math.abs(in[3][query * d + e]);
                            }
                        }
                    }
                }
            }
        }
        return sums;
    }
}
