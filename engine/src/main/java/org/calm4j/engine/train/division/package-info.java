/** How a step is divided among ranks, and how their gradients become one sum with the bits of one process. */
package org.calm4j.engine.train.division;
