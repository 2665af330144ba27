/** JMH benchmarks, one file a noun, and products measured in turns with OpenBLAS. */
package org.calm4j.benchmarks;
