package org.calm4j.benchmarks;

import java.util.Random;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/** Random inputs. */
final class Tensors {
    private Tensors() {}

    static Tensor random(Backend backend, long... shape) {
        Tensor tensor =
                new Tensor("input", backend.allocate(Tensor.product(shape) * DType.F32.bytes()), 0, DType.F32, shape);
        double[] values = new Random(1).doubles(tensor.size(), -1, 1).toArray();
        backend.write(tensor, values, values.length);
        return tensor;
    }
}
