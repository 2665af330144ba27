/**
 * A live page of a running or finished folder, on loopback. It reads what runs and experiments write and writes nothing itself, and does
 * nothing while nobody looks.
 */
package org.calm4j.calm.watch;
