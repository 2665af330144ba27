/** Prompt templates: a question of some kind and language as text or turns. */
package org.calm4j.calm.prompt;
