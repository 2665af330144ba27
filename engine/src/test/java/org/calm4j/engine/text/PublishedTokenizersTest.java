package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Llama 3, Qwen 3 and Mistral: ids and text against Hugging Face's own library. */
@Tag("slow")
final class PublishedTokenizersTest {
    @ParameterizedTest
    @EnumSource
    void idsAndTextAreTheLibrarys(Published model) throws Exception {
        try (HuggingFace library = new HuggingFace(model.folder())) {
            Texts.all().forEach(library::check);
            library.check(String.join("\n", Texts.random(2000)));
            library.checkDecodingOfRandomIds(2000);
        }
    }

    /** One word without end: quadratic work would take hours. */
    @ParameterizedTest
    @EnumSource(names = {"LLAMA3", "MISTRAL"})
    void aMillionEqualLetters(Published model) throws Exception {
        try (HuggingFace library = new HuggingFace(model.folder())) {
            String text = "a".repeat(1_000_003);
            int[] ids = library.ours().encode(text);
            assertThat(ids).isEqualTo(library.theirIds(text, true));
            assertThat(library.ours().decode(ids, true)).isEqualTo(text);
        }
    }
}
