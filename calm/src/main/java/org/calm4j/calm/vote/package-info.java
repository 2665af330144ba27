/** The vote: ballots of answers, ties, weights, and how often a vote is right. */
package org.calm4j.calm.vote;
