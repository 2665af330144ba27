/**
 * Losses as records: log-probabilities in, a value and one coefficient for each sequence out. They know neither model
 * nor tokens.
 */
package org.calm4j.engine.loss;
