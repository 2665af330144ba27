package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.calm4j.calm.run.TimeLeft;
import org.junit.jupiter.api.Test;

class TerminalProgressTest {
    private final StringWriter err = new StringWriter();
    private long seconds;
    private final TerminalProgress progress =
            new TerminalProgress(new PrintWriter(err), 0, () -> seconds * 1_000_000_000L);

    @Test
    void aLineNowAndThenWithTheTimeLeft() {
        progress.start("dpo", 100);
        seconds = 5;
        progress.at(10, "loss 0.7");
        assertThat(err.toString()).isEmpty();
        seconds = 10;
        progress.at(20, "loss 0.6");
        seconds = 11;
        progress.at(22, "loss 0.6");
        seconds = 100;
        progress.at(100, "");
        progress.end();
        assertThat(err.toString().lines())
                .containsExactly(
                        "dpo: 20/100 (20 %) loss 0.6, 0:40 left",
                        "dpo: 100/100 (100 %), 0:00 left", "dpo: 100/100 in 1:40");
    }

    /** The first step of a run waits for the compiler: it took ten seconds here, the others 50 ms each. */
    @Test
    void theFirstStepsDoNotDecideTheTimeLeft() {
        progress.start("pretrain", 3343);
        seconds = 10;
        progress.at(1, "");
        seconds = 11;
        progress.at(21, "");
        seconds = 20;
        progress.at(201, "");
        assertThat(err.toString().lines())
                .containsExactly("pretrain: 1/3343 (0 %)", "pretrain: 201/3343 (6 %), 2:37 left");
    }

    @Test
    void whatAnEarlierRunDidIsNotCounted() {
        progress.start("sample", 1000, 900);
        seconds = 6;
        progress.at(910, "");
        seconds = 12;
        progress.at(920, "");
        assertThat(err.toString().lines()).containsExactly("sample: 920/1000 (92 %), 0:48 left");
    }

    @Test
    void manyPartsAreRememberedInAFewPlaces() {
        TimeLeft left = new TimeLeft();
        for (int i = 0; i <= 100_000; i++) {
            left.at(i < 1000 ? 50L * i : 50_000 + (i - 1000), i);
        }
        assertThat(left.of(200_000)).hasValue(100_000);
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
