package org.calm4j.engine.op;

import java.util.List;

/** How a module outside the engine offers its backend; found by {@link java.util.ServiceLoader}. */
public interface BackendProvider {
    /** What its devices are called where one is chosen, in lower-case letters, such as {@code cuda}; not {@code auto} or {@code cpu}. */
    String name();

    /** Reasons why no device can be used here, one line each; empty where one can. */
    List<String> missing();

    /** How many devices this process sees. */
    int devices();

    /**
     * @param ordinal of the device, from 0
     * @param precision of products; null for the device's best
     * @throws org.calm4j.engine.CalmException failed: there is no such device; says what is missing and what to do
     */
    Backend open(int ordinal, Precision precision);
}
