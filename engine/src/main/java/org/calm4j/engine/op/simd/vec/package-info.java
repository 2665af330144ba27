/**
 * The parts of the vector nouns: inner products, panels and tiles of products, exponentials, threads, and the cold
 * start without vectors.
 *
 * <p>In products, M and N are rows and columns of the result and K is the depth.
 */
package org.calm4j.engine.op.simd.vec;
