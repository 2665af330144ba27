package org.calm4j.engine.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where the end-of-sequence token is looked for, and that no text ends with two of it. */
final class SpecialTokensTest {
    private static final String VOCAB = "{'<unk>':0,'<|endoftext|>':1,'</s>':2,'<|im_end|>':3,'a':4,'b':5}";
    private static final String TEMPLATE =
            "{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'<s>','type_id':0}},"
                    + "{'Sequence':{'id':'A','type_id':0}},{'SpecialToken':{'id':'e','type_id':0}}],'pair':[],"
                    + "'special_tokens':{'<s>':{'id':'<s>','ids':[5],'tokens':['b']},'e':{'id':'e','ids':[3],'tokens':['e']}}}";

    @TempDir
    private Path folder;

    /** The order: tokenizer_config.json and special_tokens_map.json, generation_config.json, config.json, the class's default. */
    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '~',
            nullValues = "-",
            value = {
                // tokenizer_config ; special_tokens_map ; generation_config ; config ; post-processor ; id
                "{'eos_token':'</s>'} ; - ; {'eos_token_id':1} ; {'eos_token_id':1} ; null ; 2",
                "{'eos_token':{'content':'</s>','special':true}} ; - ; - ; - ; null ; 2",
                "{} ; {'eos_token':'<|im_end|>'} ; - ; {'eos_token_id':1} ; null ; 3",
                "- ; {'eos_token':{'content':'<|im_end|>'}} ; - ; - ; null ; 3",
                // As in transformers: without added_tokens_decoder the map holds, with it the configuration does.
                "{'eos_token':'</s>'} ; {'eos_token':'<|im_end|>'} ; - ; - ; null ; 3",
                "{'eos_token':'</s>','added_tokens_decoder':{}} ; {'eos_token':'<|im_end|>'} ; - ; - ; null ; 2",
                "{'added_tokens_decoder':{}} ; {'eos_token':'<|im_end|>'} ; - ; - ; null ; 3",
                "{} ; - ; {'eos_token_id':2} ; {'eos_token_id':1} ; null ; 2",
                "{} ; - ; {} ; {'eos_token_id':1} ; null ; 1",
                "{} ; - ; - ; {'eos_token_id':[9,3,1]} ; null ; 3",
                "{} ; - ; {'eos_token_id':-1} ; {'eos_token_id':[-1]} ; null ; -1",
                "{'eos_token':null} ; - ; - ; {'eos_token_id':0} ; null ; 0",
                // A name that the vocabulary lacks is no end.
                "{'eos_token':'<eos>'} ; - ; - ; {'eos_token_id':3} ; null ; 3",
                "{} ; - ; - ; - ; TEMPLATE ; 3",
                "{'tokenizer_class':'GPT2Tokenizer'} ; - ; - ; {'model_type':'llama'} ; null ; 1",
                "{'tokenizer_class':'GPT2TokenizerFast'} ; - ; - ; - ; null ; 1",
                "{'tokenizer_class':'LlamaTokenizerFast'} ; - ; - ; - ; null ; 2",
                "{'tokenizer_class':'Qwen2Tokenizer'} ; - ; - ; {'eos_token_id':3} ; null ; 3",
                "{'tokenizer_class':'PreTrainedTokenizerFast'} ; - ; - ; {'model_type':'gpt2'} ; null ; -1",
                "- ; - ; - ; {'model_type':'gpt2'} ; null ; 1",
                "{} ; - ; - ; {'model_type':'qwen3'} ; null ; 1",
                "{} ; - ; - ; {'model_type':'llama','tokenizer_class':'GPT2Tokenizer'} ; null ; 1",
                "{} ; - ; - ; {'model_type':'mistral'} ; null ; 2",
                "{} ; - ; - ; {} ; null ; -1"
            })
    void endOfSequence(String tokenizerConfig, String map, String generation, String config, String processor, int id)
            throws IOException {
        write("tokenizer_config.json", tokenizerConfig);
        write("special_tokens_map.json", map);
        write("generation_config.json", generation);
        write("config.json", config);
        write(
                "tokenizer.json",
                "{'post_processor':" + processor.replace("TEMPLATE", TEMPLATE)
                        + ",'model':{'type':'WordLevel','unk_token':'<unk>','vocab':" + VOCAB + "}}");
        Tokenizer tokenizer = Tokenizer.read(folder);
        assertThat(tokenizer.eosId()).isEqualTo(id);
        int[] once = id < 0 ? new int[] {4} : new int[] {4, id};
        assertThat(tokenizer.ended(new int[] {4})).isEqualTo(once);
        assertThat(tokenizer.ended(once)).isEqualTo(once);
        assertThat(tokenizer.ended(new int[0])).hasSize(id < 0 ? 0 : 1);
    }

    @Test
    void aPromptIsNotEnded() throws IOException {
        write(
                "tokenizer.json",
                "{'pre_tokenizer':{'type':'WhitespaceSplit'},'post_processor':" + TEMPLATE
                        + ",'model':{'type':'WordLevel','vocab':" + VOCAB + "}}");
        Tokenizer tokenizer = Tokenizer.read(folder);
        assertThat(tokenizer.encode("a a")).containsExactly(5, 4, 4, 3);
        assertThat(tokenizer.encodePrompt("a a")).containsExactly(5, 4, 4);
        assertThat(tokenizer.encode("a a", false)).containsExactly(4, 4);
    }

    @Test
    void tokensBeyondTheModelAreAnErrorOnlyWhereTheyAreUsed() throws IOException {
        write(
                "tokenizer.json",
                "{'pre_tokenizer':{'type':'WhitespaceSplit'},'model':{'type':'WordLevel','vocab':" + VOCAB + "}}");
        write("tokenizer_config.json", "{'eos_token':'b'}");
        Tokenizer tokenizer = Tokenizer.read(folder, 5);
        assertThat(tokenizer.encode("a </s>")).containsExactly(4, 2);
        assertThatThrownBy(() -> tokenizer.encode("a b"))
                .isInstanceOf(CalmException.class)
                .hasMessage("token \"b\": has the id 5, the model's vocab_size is 5");
        assertThat(tokenizer.eosId()).isNegative();
    }

    @Test
    void brokenFilesAreNamed() throws IOException {
        write("tokenizer.json", "{'model':{'type':'WordLevel','vocab':" + VOCAB + "}}");
        for (String name :
                List.of("tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "config.json")) {
            write(name, "[1]");
            assertThatThrownBy(() -> Tokenizer.read(folder))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(name + ": not a JSON object");
            Files.delete(folder.resolve(name));
        }
    }

    private void write(String name, String json) throws IOException {
        if (json != null) {
            Files.writeString(folder.resolve(name), json.replace('\'', '"'));
        }
    }
}
