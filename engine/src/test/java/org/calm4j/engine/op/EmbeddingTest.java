package org.calm4j.engine.op;

import java.util.Random;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.RealMatrix;
import org.calm4j.engine.op.scalar.ScalarBackend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class EmbeddingTest {
    private final Backend backend = new ScalarBackend(DType.F64);
    private final Random random = new Random(1);

    @ParameterizedTest
    @CsvSource({"1,1,1", "7,3,5", "4,9,2"})
    void finiteDifferences(int tokens, int vocabulary, int width) {
        Tensor table = Doubles.random(random, 1, vocabulary, width);
        Tensor index = Doubles.indices(random.ints(tokens, 0, vocabulary).toArray());
        Tensor dOut = Doubles.random(random, 1, tokens, width);
        Tensor out = Doubles.unset(tokens, width);
        Tensor dTable = Doubles.of(new double[vocabulary * width], vocabulary, width);
        backend.embeddingBackward(dTable, dOut, index);
        FiniteDifferences.check("dTable", table, dTable, () -> {
            backend.embeddingForward(out, table, index, false);
            return Doubles.dot(dOut, out);
        });
    }

    /** Picking rows is a product with a matrix of ones and zeros; the way back is its transpose, added to what is there. */
    @Test
    void isAProductWithOneHotRows() {
        int[] rows = {4, 0, 4, 4, 2};
        RealMatrix oneHot = new Array2DRowRealMatrix(rows.length, 6);
        for (int t = 0; t < rows.length; t++) {
            oneHot.setEntry(t, rows[t], 1);
        }
        Tensor table = Doubles.random(random, 1, 6, 3);
        Tensor out = Doubles.unset(rows.length, 3);
        backend.embeddingForward(out, table, Doubles.indices(rows), false);
        Doubles.assertClose("out", out, Doubles.of(oneHot.multiply(Doubles.matrix(table))));

        Tensor twice = Doubles.copy(out);
        backend.embeddingForward(twice, table, Doubles.indices(rows), true);
        Doubles.assertClose("added", twice, Doubles.plus(out, out));

        Tensor dOut = Doubles.random(random, 1, rows.length, 3);
        Tensor before = Doubles.random(random, 1, 6, 3);
        Tensor dTable = Doubles.copy(before);
        backend.embeddingBackward(dTable, dOut, Doubles.indices(rows));
        Doubles.assertClose(
                "dTable",
                dTable,
                Doubles.plus(before, Doubles.of(oneHot.transpose().multiply(Doubles.matrix(dOut)))));
    }

    @ParameterizedTest
    @MethodSource("oracle")
    void pytorch(Oracle oracle) {
        Tensor out = oracle.unset("out");
        backend.embeddingForward(out, oracle.tensor("table"), oracle.tensor("index"), false);
        oracle.check("out", out);
        Tensor dTable = oracle.zero("dTable");
        backend.embeddingBackward(dTable, oracle.tensor("dOut"), oracle.tensor("index"));
        oracle.check("dTable", dTable);
    }

    static Iterable<Oracle> oracle() {
        return Oracle.cases("Embedding");
    }
}
