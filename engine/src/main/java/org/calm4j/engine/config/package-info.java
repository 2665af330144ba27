/** The meaning of a model's config.json: one file per family, and the nested records that it is read into. */
package org.calm4j.engine.config;
