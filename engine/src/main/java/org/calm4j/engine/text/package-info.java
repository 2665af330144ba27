/** Text to token ids and back, as the model's own tokenizer.json says; conversations through its chat template. */
package org.calm4j.engine.text;
