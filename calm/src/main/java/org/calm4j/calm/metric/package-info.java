/** Figures with intervals: accuracy, consistency, calibration, RankC, reliability without labels, and comparisons. */
package org.calm4j.calm.metric;
