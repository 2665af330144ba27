package org.calm4j.engine.train;

import java.nio.file.Path;

/** Writes what is trained into a folder that exists: a model, or an adapter. */
@FunctionalInterface
public interface ModelWriter {
    void write(Path folder);
}
