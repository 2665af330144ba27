/** What a step does with its gradient: optimizers, each a file, what they keep, and the learning rates of steps. */
package org.calm4j.engine.train.optim;
