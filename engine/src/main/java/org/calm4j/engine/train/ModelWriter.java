package org.calm4j.engine.train;

import java.nio.file.Path;
import org.calm4j.engine.tensor.DType;

/** Writes what is trained into a folder that exists: a model, or an adapter. */
@FunctionalInterface
public interface ModelWriter {
    /** @param type of the weights; null for the types of the original */
    void write(Path folder, DType type);
}
