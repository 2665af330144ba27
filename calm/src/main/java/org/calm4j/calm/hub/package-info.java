/** Files from a model hub into the cache that huggingface_hub shares. It uses nothing else of this program. */
package org.calm4j.calm.hub;
