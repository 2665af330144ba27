package org.calm4j.calm.cli;

import static org.assertj.core.api.Assertions.assertThatCode;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("slow")
class RehearsalTest {
    /** A command that fails would leave the launcher without what it should remember, and nobody would hear of it. */
    @Test
    void allItsCommandsWork() {
        assertThatCode(() -> Rehearsal.main(new String[0])).doesNotThrowAnyException();
    }
}
