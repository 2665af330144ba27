package org.calm4j.engine.op;

/** The settings of AdamW that stay the same during a run; names and defaults as in PyTorch. {@code scalar/AdamWStep} is the step. */
public record AdamW(double beta1, double beta2, double epsilon) {
    public static final AdamW DEFAULT = new AdamW(0.9, 0.999, 1e-8);
}
