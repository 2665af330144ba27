/** Passages on disk, found by each language's terms and by vectors. */
package org.calm4j.calm.retrieve;
