/** Text to token ids and back, by the model's own tokenizer.json, and the training of new vocabularies. */
package org.calm4j.engine.text;
