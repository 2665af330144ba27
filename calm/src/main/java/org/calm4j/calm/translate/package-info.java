/** Who translates a response, and whether a text is in the language that it should be in. */
package org.calm4j.calm.translate;
