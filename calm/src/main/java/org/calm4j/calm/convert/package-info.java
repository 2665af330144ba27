/** Models and tokenizers of llama2.c as folders in Hugging Face's form. */
package org.calm4j.calm.convert;
