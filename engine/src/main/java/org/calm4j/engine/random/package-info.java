/**
 * Random numbers by counting: each is a function of (seed, purpose, index), the same on every backend and after a
 * resume.
 */
package org.calm4j.engine.random;
