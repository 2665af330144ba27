/** One optimizer step, and a run on disk that resumes to the same bits. */
package org.calm4j.engine.train;
