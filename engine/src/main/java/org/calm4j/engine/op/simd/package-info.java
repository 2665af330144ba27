/**
 * The same nouns with the CPU's vector instructions, compared with the scalar definition; same inputs give the same bits for any
 * number of threads.
 *
 * <p>Shape letters: T rows of the packed batch, C hidden size, V vocabulary, H query heads, G key/value heads, D head
 * size, F feed-forward size, N scored rows, S rows of keys. In products, M and N are rows and columns of the result
 * and K is the depth.
 */
package org.calm4j.engine.op.simd;
