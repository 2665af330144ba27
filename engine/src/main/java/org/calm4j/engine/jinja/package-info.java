/**
 * Jinja2's language as transformers sets it up for chat templates: strict, bounded, and reading nothing but its
 * values.
 */
package org.calm4j.engine.jinja;
