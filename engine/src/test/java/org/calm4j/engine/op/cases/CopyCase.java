package org.calm4j.engine.op.cases;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/** Within the backend's memory, to the host's and back, and zeros; rounding is to the nearest, the same everywhere. */
record CopyCase(int n, DType from, DType to) implements OpCase {
    static List<OpCase> all() {
        List<OpCase> cases = new ArrayList<>();
        for (int n : new int[] {1, 7, 1000}) {
            for (DType from : OpCases.WEIGHTS) {
                for (DType to : OpCases.WEIGHTS) {
                    cases.add(new CopyCase(n, from, to));
                }
            }
        }
        return cases;
    }

    @Override
    public void run(Trial c) {
        Tensor[] source = c.tensor(from, 3, n);
        Tensor[] target = c.tensor(to, 1, n);
        c.run((b, i) -> b.copy(target[i], source[i]));
        c.check("to", 0, target);
        try (HostBuffer buffer = new HostBuffer((long) n * from.bytes())) {
            Tensor host = new Tensor("host", buffer, 0, from, n);
            c.run((b, i) -> {
                b.zero(target[i]);
                b.copy(host, source[i]);
                b.copy(target[i], host);
            });
        }
        c.check("to by way of the host", 0, target);
        c.run((b, i) -> b.zero(target[i]));
        c.check("zeros", 0, target);
        Tensor[] numbers = c.indices(5, n);
        double[] values = c.random().ints(n, 0, 1 << 20).asDoubleStream().toArray();
        Tensor[] written = c.tensor(DType.F32, 1, n);
        double[] read = new double[n];
        c.run((b, i) -> {
            b.write(written[i], values, n);
            b.read(read, written[i], n);
            c.check("what was written", 0, values, read, 1);
            int[] whole = new int[n];
            Arrays.setAll(whole, j -> (int) values[j]);
            b.write(numbers[i], whole, n);
            b.read(read, numbers[i], n);
            c.check("whole numbers", 0, values, read, 1);
        });
    }
}
