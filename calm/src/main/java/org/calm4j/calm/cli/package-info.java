/** One command per file: it turns options into a call of a stage or tool and prints the result. */
package org.calm4j.calm.cli;
