/** JMH benchmarks, one file per noun, and products measured in turns with OpenBLAS. */
package org.calm4j.benchmarks;
