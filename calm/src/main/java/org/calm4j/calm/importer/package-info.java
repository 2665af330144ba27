/**
 * Other people's question files as ours: a layout is recognised by its fields, and what is wrong with an item is
 * counted.
 */
package org.calm4j.calm.importer;
