/**
 * Looking inside a model: values and gradients at hook points, and changing them on their way. It reads the model, and
 * nothing in the engine reads it.
 *
 * <p>Shape letters: T tokens of a text, C hidden size, V vocabulary, H query heads, G key/value heads, D head size,
 * F feed-forward size.
 */
package org.calm4j.engine.inspect;
