/**
 * Figures with intervals: accuracy, consistency, calibration, RankC, reliability without labels, and comparisons; and
 * which answer is the most frequent.
 */
package org.calm4j.calm.metric;
