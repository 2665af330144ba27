/**
 * What long work needs whatever it does: progress, fingerprints of inputs, and files that go on where they were
 * stopped.
 */
package org.calm4j.calm.run;
