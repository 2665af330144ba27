package org.calm4j.engine.op;

/** What matrix products multiply. Sums are F32 always, and so are weights that are trained, gradients and moments. */
public enum Precision {
    /** Everything in F32. */
    F32,
    /** F32 operands whose mantissas the tensor cores of a GPU shorten to 10 bits. */
    TF32,
    /** Operands rounded to BF16 on their way into the product. */
    BF16
}
