/**
 * Preference pairs out of samples and votes: which response is chosen, which is rejected, and what was left out and
 * why.
 */
package org.calm4j.calm.pair;
