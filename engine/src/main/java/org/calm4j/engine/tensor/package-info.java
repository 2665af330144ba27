/**
 * Named views of planned memory: an allocation is taken once and carved into tensors, which own nothing.
 *
 * <p>Shape letters: B batch, T rows of the packed batch, C hidden size, V vocabulary, H query heads, G key/value
 * heads, D head size, F feed-forward size, L layers, R rank of an adapter, N scored rows, S rows of keys.
 */
package org.calm4j.engine.tensor;
