/** What an experiment runs besides votes and pairs: sampling, training, evaluation, retrieval. Files in, files out. */
package org.calm4j.calm.stage;
