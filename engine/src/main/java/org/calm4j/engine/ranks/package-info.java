/**
 * Other processes of the same run, started by mpirun or srun: who they are, what they add up, and how they pass tensors and messages. It calls
 * the MPI library of the launcher, which is found at run time; without a launcher nothing is loaded.
 */
package org.calm4j.engine.ranks;
