/** What a model's config.json means: one file a family, and the nested records that it is read into. */
package org.calm4j.engine.config;
