/**
 * Every operation of a transformer as a forward and backward pair, with shapes, and whether it sets or adds; how a
 * backend is chosen.
 *
 * <p>Shape letters: T rows of the packed batch, C hidden size, V vocabulary, H query heads, G key/value heads, D head
 * size, F feed-forward size, R rank of an adapter, N scored rows, S rows of keys.
 */
package org.calm4j.engine.op;
