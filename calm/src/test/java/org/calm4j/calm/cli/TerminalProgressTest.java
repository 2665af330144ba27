package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class TerminalProgressTest {
    private final StringWriter err = new StringWriter();
    private long seconds;
    private final TerminalProgress progress = new TerminalProgress(new PrintWriter(err), 0, () -> seconds * 1_000_000_000L);

    @Test
    void aLineNowAndThenWithTheTimeLeft() {
        progress.start("dpo", 100);
        seconds = 5;
        progress.at(10, "loss 0.7");
        assertThat(err.toString()).isEmpty();
        seconds = 12;
        progress.at(20, "loss 0.6");
        seconds = 13;
        progress.at(21, "loss 0.6");
        seconds = 100;
        progress.at(100, "");
        progress.end();
        assertThat(err.toString().lines()).containsExactly("dpo: 20/100 (20 %) loss 0.6, 0:48 left", "dpo: 100/100 (100 %), 0:00 left",
                "dpo: 100/100 in 1:40");
    }

    @Test
    void nothingDoneIsNoDivisionByZero() {
        progress.start("sample", 0);
        seconds = 20;
        progress.at(0, "");
        progress.end();
        assertThat(err.toString().lines()).containsExactly("sample: 0/0 in 0:20");
    }
}
