package org.calm4j.calm.cli;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;

/** The stream of results; remembers the first failure, which a PrintStream on it hides. */
final class StandardOutput extends FilterOutputStream {
    private IOException failure;

    StandardOutput(OutputStream out) {
        super(out);
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        try {
            out.write(bytes, offset, length);
        } catch (IOException e) {
            failure = failure == null ? e : failure;
            throw e;
        }
    }

    /** Null without a failure, also when the reader went away, as head does. */
    String failure() {
        return failure == null
                        || String.valueOf(failure.getMessage())
                                .toLowerCase(Locale.ROOT)
                                .contains("broken pipe")
                ? null
                : String.valueOf(failure.getMessage());
    }
}
