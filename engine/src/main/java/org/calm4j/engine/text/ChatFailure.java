package org.calm4j.engine.text;

/** Ends the rendering of a chat template. */
final class ChatFailure extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final int LONGEST = 500;

    ChatFailure(String message) {
        super(message);
    }

    /** What is wrong, on one line: this exception's message where it is at the bottom of it all, else the last one's. */
    static String describe(Throwable thrown) {
        Throwable last = thrown;
        for (Throwable each = thrown; each != null; each = each.getCause()) {
            last = each;
            if (each instanceof ChatFailure) {
                break;
            }
        }
        String message = last.getMessage() == null ? last.getClass().getSimpleName() : last.getMessage();
        return oneLine(message);
    }

    static String oneLine(String message) {
        String line = message.strip().replaceAll("\\s*\\R\\s*", " ");
        return line.length() > LONGEST ? line.substring(0, LONGEST) + "…" : line;
    }
}
