/** The answer out of a response: which option a text ends up saying, by rules in each language. */
package org.calm4j.calm.extract;
