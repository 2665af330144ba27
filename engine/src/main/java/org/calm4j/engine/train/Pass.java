package org.calm4j.engine.train;

import java.util.List;

/**
 * A forward and a backward pass.
 *
 * @param part of the step
 * @param micro its number in the part
 * @param number in the step
 */
record Pass(List<Slot> slots, int part, int micro, int number) {}
