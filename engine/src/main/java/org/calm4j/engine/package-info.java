/**
 * The engine: trains and runs transformer language models, without CUDA, commands or the CALM pipeline. This room has
 * what all others throw and say.
 */
package org.calm4j.engine;
