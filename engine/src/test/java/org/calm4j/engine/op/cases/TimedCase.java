package org.calm4j.engine.op.cases;

import java.util.List;

/** A case that is worth timing where it is large. */
public interface TimedCase extends OpCase {
    /**
     * @param flops floating-point operations, as others count them; 0 where memory is the bound
     * @param bytes read and written; 0 where arithmetic is the bound
     */
    record Work(String what, double flops, double bytes, Runnable run) {}

    /** What is timed, on the trial's tensors. */
    List<Work> work(Trial trial);
}
