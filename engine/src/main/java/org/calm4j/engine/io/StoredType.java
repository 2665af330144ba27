package org.calm4j.engine.io;

import java.util.EnumSet;
import java.util.Set;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;

/**
 * The type in which tensors are written.
 *
 * @param type of floating tensors; null keeps what they have
 */
public record StoredType(DType type) {
    public static final StoredType KEPT = new StoredType(null);
    private static final Set<DType> FLOATING = EnumSet.of(DType.F32, DType.BF16, DType.F16, DType.F64);

    public StoredType {
        if (type != null && !FLOATING.contains(type)) {
            throw CalmException.usage("weights cannot be stored as " + type);
        }
    }

    DType of(Tensor tensor) {
        return type == null || !FLOATING.contains(tensor.type()) ? tensor.type() : type;
    }

    long bytes(Tensor tensor) {
        return tensor.size() * of(tensor).bytes();
    }
}
