/**
 * What all long-running work needs: progress, fingerprints of inputs, and files that continue where they were
 * stopped.
 */
package org.calm4j.calm.run;
