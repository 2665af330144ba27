/** One command a file: options in, a call of a stage or tool, and what it returns printed. No work is done here. */
package org.calm4j.calm.cli;
