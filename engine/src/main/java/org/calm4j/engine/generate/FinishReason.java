package org.calm4j.engine.generate;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** Why a completion ended. */
public enum FinishReason {
    /** With an end-of-sequence token. */
    EOS,
    /** At the limit on tokens. */
    LENGTH,
    /** With a stop string, or because the listener ended it. */
    STOP;

    /** As results have it: {@code eos}, {@code length}, {@code stop}. */
    @JsonValue
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
