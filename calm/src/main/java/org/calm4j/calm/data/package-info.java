/**
 * The records that go from stage to stage, one JSON line each: questions, samples, votes, pairs, documents,
 * predictions.
 */
package org.calm4j.calm.data;
