package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;

final class WordLevelTrainerTest {
    private static final List<String> TEXTS = List.of("b a  c b", "New\u00A0York a b </s>", "d <unk>");

    @Test
    void wordsByFrequencyThenByPlace() {
        Tokenizer tokenizer = WordLevelTrainer.train(TEXTS, 100, 1, "<unk>", "</s>");
        assertThat(List.of(0, 1, 2, 3, 4, 5, 6))
                .extracting(tokenizer::token)
                .containsExactly("<unk>", "</s>", "b", "a", "c", "New\u00A0York", "d");
        assertThat(tokenizer.size()).isEqualTo(7);
        assertThat(tokenizer.encode("d New\u00A0York z </s>")).containsExactly(6, 5, 0, 1);
        assertThat(tokenizer.eosId()).isEqualTo(1);
    }

    @Test
    void rareWordsAndWordsBeyondTheSizeAreLeftOut() {
        assertThat(WordLevelTrainer.train(TEXTS, 100, 2, "<unk>", "</s>").size())
                .isEqualTo(4);
        assertThat(WordLevelTrainer.train(TEXTS, 3, 1, "<unk>", "</s>").token(2))
                .isEqualTo("b");
        assertThatThrownBy(() -> WordLevelTrainer.train(TEXTS, 100, 4, "<unk>", "</s>"))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("no word occurs 4 times");
        assertThatThrownBy(() -> WordLevelTrainer.train(TEXTS, 2, 1, "<unk>", "</s>"))
                .isInstanceOf(CalmException.class);
    }
}
