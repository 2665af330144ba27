/** Text to token ids and back, as the model's own tokenizer.json says, and the training of new vocabularies. */
package org.calm4j.engine.text;
