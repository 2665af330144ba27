/** What the commands of {@code calm inspect} do: files in, files out, over {@link org.calm4j.engine.inspect.Inspector}. */
package org.calm4j.calm.inspect;
