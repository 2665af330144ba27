/** The stages that an experiment runs: files in, a file out, one record each. None calls another. */
package org.calm4j.calm.stage;
