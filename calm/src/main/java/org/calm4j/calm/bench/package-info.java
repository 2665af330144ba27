/** Speed beside this machine's own limits, and the history of its figures. */
package org.calm4j.calm.bench;
