/** Decoding: many prompts at a time as memory allows, and one conversation that grows. */
package org.calm4j.engine.generate;
