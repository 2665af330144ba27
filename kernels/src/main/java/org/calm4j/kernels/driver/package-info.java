/**
 * Owners of the CUDA driver's objects: context, stream, memory, module, graph and cuBLAS; launches; what is missing on
 * a machine.
 */
package org.calm4j.kernels.driver;
