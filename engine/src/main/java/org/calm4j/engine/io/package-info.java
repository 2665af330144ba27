/**
 * Files: safetensors in one piece or several, JSON and JSON Lines, and output folders in which only our own files are
 * replaced.
 */
package org.calm4j.engine.io;
