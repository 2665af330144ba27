/**
 * Owners of what CUDA's driver gives: context, stream, memory, module, graph and cuBLAS; launches; what is missing on
 * a machine.
 */
package org.calm4j.kernels.driver;
