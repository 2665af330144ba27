/** Conversations as token ids, written by the model's own chat template. */
package org.calm4j.engine.chat;
