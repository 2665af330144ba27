/** What a user can set, defined once: names, defaults and checks for the command line, YAML and Java. */
package org.calm4j.calm.option;
