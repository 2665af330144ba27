/**
 * The demo's world: facts of the Unicode CLDR, the questions about them, and the texts that a model learns them from.
 */
package org.calm4j.calm.world;
