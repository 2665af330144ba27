/**
 * The network: the page forward and the page backward, its parameters, activations and adapters, the cache of
 * decoding, and a model's folder.
 *
 * <p>Shape letters: T rows of the packed batch, C hidden size, V vocabulary, H query heads, G key/value heads, D head
 * size, F feed-forward size, L layers, R rank of an adapter, N scored rows.
 */
package org.calm4j.engine.model;
