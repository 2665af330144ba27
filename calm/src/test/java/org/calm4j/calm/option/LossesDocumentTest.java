package org.calm4j.calm.option;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;
import org.calm4j.engine.loss.ConsistencyLoss;
import org.calm4j.engine.loss.PreferenceLoss;
import org.calm4j.engine.loss.UnpairedLoss;
import org.junit.jupiter.api.Test;

/** docs/losses.md has a row for each loss, in the order of the one list, and says of each whether it reads a reference. */
final class LossesDocumentTest {
    private static final Pattern ROW = Pattern.compile("(?m)^\\| `(\\w+)` \\|.*\\| (yes|no) \\|");

    @Test
    void everyLossHasARow() throws IOException {
        List<String> rows = ROW.matcher(Files.readString(Path.of("../docs/losses.md")))
                .results()
                .map(row -> row.group(1) + " " + row.group(2))
                .toList();
        assertThat(rows).containsExactlyElementsOf(expected());
    }

    private static List<String> expected() {
        return StreamSupport.stream(new PreferenceOptions.LossTypes().spliterator(), false)
                .map(name -> name + (readsReference(name) ? " yes" : " no"))
                .toList();
    }

    private static boolean readsReference(String name) {
        return name.equals(ConsistencyLoss.DCO)
                || UnpairedLoss.NAMES.contains(name)
                || PreferenceLoss.ALL.stream()
                        .anyMatch(each -> each.name().equals(name) && each.sees() != PreferenceLoss.Sees.LOG_PROBS);
    }
}
