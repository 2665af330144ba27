package org.calm4j.engine.op;

import java.util.List;

/** How a module outside the engine offers its backend; found by {@link java.util.ServiceLoader}. */
public interface BackendProvider {
    /** What stands in the way of a device here, one line each; empty where nothing does. */
    List<String> missing();

    /**
     * @param ordinal of the device, from 0
     * @param precision of products; null for what the device is made for
     * @throws org.calm4j.engine.CalmException failed: no such device here, with what is missing and what to do
     */
    Backend open(int ordinal, Precision precision);
}
