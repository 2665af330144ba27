package org.calm4j.calm.importer;

/** An item that has the fields of its layout but cannot be read; the message says why. */
public final class Unreadable extends Exception {
    private static final long serialVersionUID = 1;

    Unreadable(String message) {
        super(message);
    }
}
