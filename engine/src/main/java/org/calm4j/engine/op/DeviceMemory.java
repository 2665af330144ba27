package org.calm4j.engine.op;

/**
 * Memory that a device has apart from the machine's, in bytes.
 *
 * @param free neither in use nor reserved for copies of weights
 */
public record DeviceMemory(long free, long total) {}
