package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.calm4j.engine.tensor.DType;

/**
 * All cases of all operations. Every backend's suite walks this list, and so do the check of vector widths, the workload whose inlining is
 * watched, and the timings on a GPU. A new operation's cases are added here.
 */
public final class OpCases {
    /** A property: only cases with this in their names are run, and none of them is left out; letters in either case. */
    public static final String PROPERTY = "calm4j.op";

    static final int[] ODD = {1, 2, 3, 5, 7, 16, 17, 33, 65, 130};
    /** Rows, more than a backend may add up at a time. */
    static final int[] MANY_ROWS = {257, 700};
    /** Elements of what has no shape. */
    static final int[] SIZES = {1, 2, 7, 63, 1000, 40_001};

    static final List<DType> WEIGHTS = List.of(DType.F32, DType.BF16, DType.F16);

    private OpCases() {}

    public static List<OpCase> all() {
        return Stream.of(
                        CopyCase.all(),
                        EmbeddingCase.all(),
                        ScatterCase.all(),
                        LinearCase.all(),
                        FrozenWeightsCase.all(),
                        BiasCase.all(),
                        ScaleCase.all(),
                        RmsNormCase.all(),
                        LayerNormCase.all(),
                        RopeCase.all(),
                        AttentionCase.all(),
                        AttentionOverACacheCase.all(),
                        SwiGluCase.all(),
                        GeluCase.all(),
                        TokenLogProbCase.all(),
                        SampleCase.all(),
                        DropoutCase.all(),
                        AdditionCase.all(),
                        CombinationCase.all(),
                        QuantizationCase.all(),
                        GradNormCase.all(),
                        AdamWCase.all(),
                        AdamWOfManyCase.all())
                .flatMap(List::stream)
                .toList();
    }

    /** Large ones, for timing. */
    public static List<TimedCase> timed(int divisor) {
        int n = 4096 / divisor;
        return List.of(
                new LinearCase(n, n, n, DType.F32),
                new AttentionCase(16, 16, 128, Forest.ONE + n, 0, false),
                new AttentionOverACacheCase(Math.min(16, n), n, 32, 8, 128, 0),
                new RmsNormCase(n, n, DType.F32),
                new SwiGluCase(n, n),
                new AdamWCase(n * n),
                new GeluCase(1, 1, 4));
    }

    /**
     * The cases that a suite runs: one of so many of each operation, or those that {@link #PROPERTY} asks for.
     *
     * @param oneOf see {@link OpCase#oneOf}
     */
    public static List<OpCase> chosen(int oneOf) {
        String wanted = System.getProperty(PROPERTY, "").toLowerCase(Locale.ROOT);
        List<OpCase> cases = all();
        List<OpCase> chosen = new ArrayList<>();
        int index = 0;
        String op = "";
        for (OpCase of : cases) {
            index = of.op().equals(op) ? index + 1 : 0;
            op = of.op();
            if (wanted.isEmpty()
                    ? index % of.oneOf(oneOf) == 0
                    : of.name().toLowerCase(Locale.ROOT).contains(wanted)) {
                chosen.add(of);
            }
        }
        if (chosen.isEmpty()) {
            throw new IllegalArgumentException("no case of an operation has '" + wanted + "' in its name; operations: "
                    + String.join(
                            ", ", cases.stream().map(OpCase::op).distinct().toList()));
        }
        return chosen;
    }

    static boolean isMany(int t) {
        return t >= MANY_ROWS[0];
    }

    /** The types of weights in turn. */
    static DType weight(int index) {
        return WEIGHTS.get(index % WEIGHTS.size());
    }

    interface Shape {
        OpCase of(int rows, int columns, DType weight);
    }

    /** Odd numbers of rows by odd numbers of columns. */
    static List<OpCase> rows(Shape shape) {
        List<OpCase> cases = new ArrayList<>();
        for (int i = 0; i < ODD.length; i++) {
            for (int columns : ODD) {
                cases.add(shape.of(ODD[i], columns, weight(i)));
            }
        }
        return cases;
    }
}
