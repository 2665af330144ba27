/**
 * The definition of every operation: plain loops with sums in double precision, one file per noun, never optimised.
 *
 * <p>Shape letters: T rows of the packed batch, C hidden size, V vocabulary, H query heads, G key/value heads, D head
 * size, F feed-forward size, N scored rows, S rows of keys.
 */
package org.calm4j.engine.op.scalar;
