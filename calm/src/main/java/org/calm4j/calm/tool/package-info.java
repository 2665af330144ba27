/** What only commands run and no experiment does: chat, generate, score, tokenize, convert, import. */
package org.calm4j.calm.tool;
