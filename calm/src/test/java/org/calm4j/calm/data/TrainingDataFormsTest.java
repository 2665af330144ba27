package org.calm4j.calm.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.text.BpeTrainer;
import org.calm4j.engine.text.Tokenizer;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Mismatched;
import org.calm4j.engine.train.Truncation;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The forms of TRL and LLaMA-Factory. What each line should become is what TRL's {@code extract_prompt} and {@code DPOTrainer} and
 * LLaMA-Factory's {@code converter.py} make of it (read at TRL f2cd577 and LLaMA-Factory ff6d4d1), through the template below.
 */
final class TrainingDataFormsTest {
    private static final String TEMPLATE =
            "{% if tools %}T{{ tools | length }}{{ tools[0].name }}+{% endif %}{% if enable_thinking is defined and not enable_thinking %}N+{% endif %}"
                    + "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}{% if m.tool_calls %}!{{ m.tool_calls[0].function.name }}{% endif %}<end>\n{% endfor %}"
                    + "{% if add_generation_prompt %}a:{% endif %}";

    @TempDir
    private Path folder;

    private final List<String> said = new ArrayList<>();

    @BeforeEach
    void model() throws IOException {
        BpeTrainer.train(List.of("user assistant"), 265, "<end>").save(folder);
    }

    private TrainingData data(String template) {
        Path config = folder.resolve("tokenizer_config.json");
        ObjectNode json = Json.read(config, ObjectNode.class);
        json.remove("chat_template");
        Json.write(config, template == null ? json : json.put("chat_template", template));
        said.clear();
        return new TrainingData(tokenizer(), ChatTemplate.read(folder), 300, 200, Truncation.NONE, said::add);
    }

    private Tokenizer tokenizer() {
        return Tokenizer.read(folder);
    }

    private String text(int... ids) {
        return tokenizer().decode(ids, false).replace("\n", "/");
    }

    private Path file(String... lines) throws IOException {
        return Files.writeString(
                folder.resolve("data.jsonl"), String.join("\n", lines).replace('\'', '"'));
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '~', textBlock = """
            {'prompt':'q','completion':'y','label':true} ; q y<end> true
            {'prompt':[{'role':'user','content':'q'}],'completion':[{'role':'assistant','content':'y'}],'label':false} ; u:q<end>/a: y<end> false
            {'prompt_input_ids':[82,83],'completion_input_ids':[84],'label':true} ; QR S true
            {'instruction':'i','input':'j','output':'y','kto_tag':false} ; i/j y<end> false
            {'prompt':'q','chosen':'y','rejected':'z'} ; q y<end> true, q z<end> false
            """)
    void singleCompletions(String line, String expected) throws IOException {
        List<String> found = data(TEMPLATE).unpaired(file(line)).stream()
                .map(each -> text(each.prompt()) + " " + text(each.completion()) + " " + each.desirable())
                .toList();
        assertThat(String.join(", ", found)).isEqualTo(expected);
    }

    @Test
    void labelsAreTrueOrFalse() throws IOException {
        Path data = file("{'prompt':'q','completion':'y','label':1}");
        assertThatThrownBy(() -> data(TEMPLATE).unpaired(data))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("data.jsonl:1")
                .hasMessageContaining("label must be true");
    }

    /** Of pairs all chosen completions come first, so that those beside each other have other prompts. */
    @Test
    void mismatchedCompletionsAreOfTheLineBeforeInABatch() throws IOException {
        Path data = file(
                "{'prompt_input_ids':[1],'chosen_input_ids':[11,12],'rejected_input_ids':[13]}",
                "{'prompt_input_ids':[2,2],'chosen_input_ids':[21],'rejected_input_ids':[22,23]}");
        List<Example.Unpaired> lines = Mismatched.evaluated(data(null).unpaired(data), 3, 3);
        assertThat(lines.stream().map(each -> each.completion()[0])).containsExactly(11, 21, 13, 22);
        assertThat(lines.stream().map(each -> each.pair().rejected()))
                .containsExactly(new int[] {13}, new int[] {11}, new int[] {21}, new int[] {22});
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '~', textBlock = """
            {'prompt':[{'role':'user','content':'q'}],'chosen':'y','rejected':'z'} ; u:q<end>/a: ; y<end> ; z<end>
            {'prompt':[{'role':'user','content':'q'}],'chosen':[{'role':'assistant','content':'y'}],'rejected':{'role':'assistant','content':'z'}} ; u:q<end>/a: ; y<end> ; z<end>
            {'chosen':[{'role':'user','content':'q'},{'role':'assistant','content':'y'}],'rejected':[{'role':'user','content':'q'},{'role':'assistant','content':'z'}]} ; u:q<end>/a: ; y<end> ; z<end>
            {'prompt':'q','chosen':[{'role':'user','content':'q'},{'role':'assistant','content':'y'}],'rejected':[{'role':'user','content':'q'},{'role':'assistant','content':'z'}]} ; u:q<end>/a: ; y<end> ; z<end>
            {'chosen':'Human: q Assistant: yes','rejected':'Human: q Assistant: no'} ; Human: q Assistant: ;  yes<end> ;  no<end>
            {'chosen':'ab😀','rejected':'ab😃'} ; ab ; 😀<end> ; 😃<end>
            {'prompt':'q','chosen':'y','rejected':'z'} ; q ; y<end> ; z<end>
            {'prompt':'q','chosen':'y<end>','rejected':'z'} ; q ; y<end> ; z<end>
            {'instruction':'i','input':'j','chosen':'y','rejected':'z'} ; i/j ; y<end> ; z<end>
            {'instruction':'','input':'j','chosen':'y','rejected':'z'} ; j ; y<end> ; z<end>
            {'instruction':'i','input':'j','system':'s','history':[['h','k']],'chosen':'y','rejected':'z'} ; s:s<end>/u:h<end>/a:k<end>/u:i/j<end>/a: ; y<end> ; z<end>
            {'instruction':'i','input':'','system':'','history':[['h','k']],'tools':'[{"name":"f"}]','chosen':'y','rejected':'z'} ; T1f+u:h<end>/a:k<end>/u:i<end>/a: ; y<end> ; z<end>
            {'instruction':'i','system':'','history':[],'tools':'','chosen':'y','rejected':'z'} ; i ; y<end> ; z<end>
            {'prompt':'q','system':'s','chosen':'y','rejected':'z'} ; s:s<end>/u:q<end>/a: ; y<end> ; z<end>
            {'conversations':[{'from':'human','value':'q'}],'chosen':{'from':'gpt','value':'y'},'rejected':{'from':'gpt','value':'z'}} ; u:q<end>/a: ; y<end> ; z<end>
            {'conversations':[{'from':'human','value':'q'},{'from':'gpt','value':'r'},{'from':'human','value':'p'}],'system':'s','chosen':{'from':'gpt','value':'y'},'rejected':'z'} ; s:s<end>/u:q<end>/a:r<end>/u:p<end>/a: ; y<end> ; z<end>
            {'conversations':[{'from':'human','value':'q'},{'from':'function_call','value':'{"name":"f","arguments":{}}'},{'from':'observation','value':'o'}],'chosen':'y','rejected':'z'} ; u:q<end>/a:!f<end>/t:o<end>/a: ; y<end> ; z<end>
            {'messages':[{'role':'system','content':'s'},{'role':'user','content':'q'}],'system':'x','chosen':{'role':'assistant','content':'y'},'rejected':{'role':'assistant','content':'z'}} ; s:s<end>/u:q<end>/a: ; y<end> ; z<end>
            {'prompt':[{'role':'user','content':'q'}],'chosen':'y','rejected':'z','tools':[{'name':'g'}],'chat_template_kwargs':{'enable_thinking':false}} ; T1g+N+u:q<end>/a: ; y<end> ; z<end>
            """)
    void pairs(String line, String prompt, String chosen, String rejected) throws IOException {
        // JSON inside of a text.
        Path file = file(line.replace("\"", "\\u0022"));
        Example.Preference pair = data(TEMPLATE).pairs(file).getFirst();
        assertThat(text(pair.prompt()).strip()).isEqualTo(prompt);
        assertThat(text(pair.chosen()).strip()).isEqualTo(chosen);
        assertThat(text(pair.rejected()).strip()).isEqualTo(rejected);
        assertThat(said).noneMatch(note -> note.contains("not used"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '~', textBlock = """
            {'text':'x'} ; x<end> ; 1
            {'text':'x<end>'} ; x<end> ; 1
            {'prompt':'q','completion':'y'} ; qy<end> ; 1
            {'prompt':'q','completion':'y<end>'} ; qy<end> ; 1
            {'instruction':'i','input':'j','output':'y'} ; i/jy<end> ; 3
            {'instruction':'i','history':[['h','k']],'output':'y'} ; u:h<end>/a:k<end>/u:i<end>/a:y<end> ; 17
            {'conversations':[{'from':'human','value':'q'},{'from':'gpt','value':'y'}]} ; u:q<end>/a:y<end>/ ; 1
            {'messages':[{'role':'user','content':'q'},{'role':'assistant','content':'y'}],'tools':[{'name':'g'}]} ; T1g+u:q<end>/a:y<end>/ ; 1
            """)
    void documents(String line, String text, int from) throws IOException {
        Example.Document document = data(TEMPLATE).documents(file(line)).getFirst();
        assertThat(text(document.tokens())).isEqualTo(text);
        assertThat(document.from()).isEqualTo(from);
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '~', textBlock = """
            {'prompt':'q','chosen':'y','rejected':'z','tools':[{'name':'g'}]} ; tools belongs to a conversation
            {'prompt':'q','chosen':'y','rejected':'z','chat_template_kwargs':{'enable_thinking':false}} ; chat_template_kwargs belongs to a conversation
            {'prompt':[{'role':'user','content':'q'}],'chosen':'y','rejected':'z','tools':'x'} ; tools must be JSON
            {'prompt':[{'role':'user','content':'q'}],'chosen':'y','rejected':'z','chat_template_kwargs':3} ; chat_template_kwargs must be an object
            {'prompt':[{'role':'user','content':'q'}],'chosen':'y','rejected':'z','images':['a.png']} ; images are not supported
            {'conversations':[{'from':'robot','value':'q'}],'chosen':'y','rejected':'z'} ; from "robot"
            {'conversations':[{'from':'function_call','value':'q'}],'chosen':'y','rejected':'z'} ; conversations[0] must be JSON
            {'chosen':'yes','rejected':'no'} ; no common beginning
            {'chosen':'yes','rejected':'yes, no'} ; do not differ after a common beginning
            {'chosen':[{'role':'user','content':'q'}],'rejected':[{'role':'user','content':'q'}]} ; do not differ
            {'chosen':[{'role':'user','content':'q'},{'role':'assistant','content':'y'}],'rejected':[{'role':'user','content':'p'},{'role':'assistant','content':'y'}]} ; no common beginning
            {'instruction':'i','history':['h'],'chosen':'y','rejected':'z'} ; history must be a list
            {'instruction':3,'chosen':'y','rejected':'z'} ; instruction must be a string
            """)
    void whatCannotBeUsedIsRefusedByName(String line, String message) throws IOException {
        Path file = file("{'prompt_input_ids':[1],'chosen_input_ids':[1],'rejected_input_ids':[1]}", line);
        assertThatThrownBy(() -> data(TEMPLATE).pairs(file))
                .isInstanceOf(CalmException.class)
                .hasMessageStartingWith(file + ":2: ")
                .hasMessageContaining(message);
    }

    @Test
    void turnsNeedATemplate() throws IOException {
        for (String field : List.of("'system':'s'", "'history':[['h','k']]")) {
            Path file = file("{'instruction':'i','chosen':'y','rejected':'z'," + field + "}");
            assertThatThrownBy(() -> data(null).pairs(file))
                    .isInstanceOf(CalmException.class)
                    .hasMessageContaining(file + ":1: ")
                    .hasMessageContaining("no chat template")
                    .hasMessageContaining(field.substring(1, 7));
        }
        // Without them the same lines are text.
        assertThat(text(data(null)
                        .pairs(file("{'instruction':'i','chosen':'y','rejected':'z'}"))
                        .getFirst()
                        .prompt()))
                .isEqualTo("i");
    }

    /** One line with turns makes turns of all; otherwise they are text, which is said where the model has a template. */
    @Test
    void oneFileIsAskedInOneWay() throws IOException {
        Path file = file(
                "{'instruction':'i','chosen':'y','rejected':'z'}",
                "{'instruction':'i','history':[['h','k']],'chosen':'y','rejected':'z'}");
        assertThat(text(data(TEMPLATE).pairs(file).getFirst().prompt())).isEqualTo("u:i<end>/a:");
        assertThat(said)
                .containsExactly(
                        file + ": 1 of 2 lines have system or history, so all lines go through the chat template");
        Path plain = file("{'instruction':'i','chosen':'y','rejected':'z'}");
        data(TEMPLATE).pairs(plain);
        assertThat(said).singleElement().asString().contains("used as plain text, without the model's chat template");
    }

    @Test
    void fieldsThatNobodyUsesAreSaidOnce() throws IOException {
        String line =
                "{'id':1,'language':'en','prompt':'q','chosen':'y','rejected':'z','chosen_answer':'A','weight':2,'foo':1}";
        Path file = file(line, line, line.replace(",'foo':1", ",'foo':null"));
        data(null).pairs(file);
        assertThat(said).containsExactly(file + ": the field 'foo' is not used (2 lines)");
        data(null).pairs(file(line.replace("'foo':1", "'foo':1,'score':3")));
        assertThat(said).containsExactly(file + ": fields that are not used (number of lines): 'foo' (1), 'score' (1)");
        data(null)
                .twoLanguagePairs(file(Json.compact(new TwoLanguagePair(
                        "1", "en", "q", "y", "z", "de", "r", "ja", "nein", "A", "B", null, null, null))));
        assertThat(said).isEmpty();
        data("{% for m in messages %}{{ m.content }}<end>{% endfor %}{% if add_generation_prompt %}:{% endif %}")
                .documents(file("{'messages':[{'role':'user','content':'q'}],'tools':[{'name':'g'}]}"));
        assertThat(said).containsExactly(file + ": the model's chat template ignores tools");
    }

    @Test
    void aCompletionHasToEnd() throws IOException {
        Json.write(folder.resolve("tokenizer_config.json"), Json.mapper().createObjectNode());
        said.clear();
        TrainingData data =
                new TrainingData(tokenizer(), ChatTemplate.read(folder), 300, 200, Truncation.NONE, said::add);
        Path file = file("{'prompt':'q','completion':'y'}");
        assertThatThrownBy(() -> data.documents(file))
                .isInstanceOf(CalmException.class)
                .hasMessage(
                        file
                                + ":1: a completion needs an end, but the model names no end-of-sequence token; set eos_token in tokenizer_config.json");
        assertThat(text(data.documents(file("{'text':'xy'}", "{'text':'zz'}"))
                        .getFirst()
                        .tokens()))
                .isEqualTo("xy");
        assertThat(said).singleElement().asString().contains("texts get no end-of-sequence token");
    }

    @Test
    void whatIsTooLongNamesItsLine() throws IOException {
        Path file = file("{'text':'x'}", "{'text':'" + "b".repeat(300) + "'}");
        assertThatThrownBy(() -> data(null).documents(file))
                .isInstanceOf(CalmException.class)
                .hasMessageMatching("(?s)\\Q" + file
                        + "\\E:2: has \\d+ tokens, but the model's max_position_embeddings is 200; .*");
        assertThatThrownBy(() -> new TrainingData(null, null, 300).documents(file))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining(file + ":1: is text, but the model folder has no tokenizer.json");
        Path list = Files.writeString(folder.resolve("list.json"), "[{\"text\":\"x\"},{\"text\":3}]");
        assertThatThrownBy(() -> data(null).documents(list))
                .isInstanceOf(CalmException.class)
                .hasMessage(list + "[1]: text must be a string");
        assertThat(Arrays.stream(data(null)
                                .documents(file("{'text':'x'}"))
                                .getFirst()
                                .tokens())
                        .max())
                .isNotEmpty();
    }

    /** Cut before the model's positions are looked at, and counted over all files. */
    @Test
    void longLinesAreCutAndCounted() throws IOException {
        data(null);
        var truncation = new Truncation(5, Truncation.Mode.KEEP_START, 0, 0);
        var data = new TrainingData(tokenizer(), null, 300, 5, truncation, said::add);
        Path pairs =
                file("{'prompt':'abc','chosen':'yyyy','rejected':'z'}", "{'prompt':'a','chosen':'y','rejected':'z'}");
        Example.Preference cut = data.pairs(pairs).getFirst();
        assertThat(text(cut.chosen())).isEqualTo("yy");
        assertThat(text(cut.rejected())).isEqualTo("z<end>");
        assertThat(said).containsExactly(pairs + ": cut 1 of 2 lines, by 3 tokens in all");
        data.documents(file("{'text':'abcdefg'}"));
        assertThat(data.cut()).isEqualTo(new TrainingData.Cut(2, 6));
        Path hopeless = file("{'text':'a'}", "{'prompt':'abcdef','completion':'g'}");
        assertThatThrownBy(() -> data.documents(hopeless))
                .isInstanceOf(CalmException.class)
                .hasMessageStartingWith(hopeless + ":2: nothing to learn is left");
    }

    /** Only what the assistant says: between « and »; lines without roles cannot be meant. */
    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '~', textBlock = """
            {'messages':[{'role':'user','content':'q'},{'role':'assistant','content':'y'},{'role':'user','content':'p'},{'role':'assistant','content':'z'}],'tools':[{'name':'g'}]} ; T1g+u:q<end>/a:«y<end>»/u:p<end>/a:«z<end>»/
            {'conversations':[{'from':'human','value':'q'},{'from':'function_call','value':'{"name":"f","arguments":{}}'},{'from':'observation','value':'o'},{'from':'gpt','value':'y'}],'system':'s'} ; s:s<end>/u:q<end>/a:«!f<end>»/t:o<end>/a:«y<end>»/
            {'prompt':[{'role':'user','content':'q'},{'role':'assistant','content':'r'},{'role':'user','content':'p'}],'completion':'y'} ; u:q<end>/a:r<end>/u:p<end>/a:«y<end>»/
            {'prompt':[{'role':'user','content':'q'}],'completion':[{'role':'assistant','content':'y'},{'role':'user','content':'p'},{'role':'assistant','content':'z'}]} ; u:q<end>/a:«y<end>»/u:p<end>/a:«z<end>»/
            {'instruction':'i','system':'s','history':[['h','k']],'output':'y'} ; s:s<end>/u:h<end>/a:k<end>/u:i<end>/a:«y<end>»/
            """)
    void answers(String line, String text) throws IOException {
        Example.Document document =
                data(TEMPLATE).answers(file(line.replace("\"", "\\u0022"))).getFirst();
        StringBuilder marked = new StringBuilder();
        for (int i = 0; i < document.tokens().length; i++) {
            boolean before = document.learnt().get(i - 1 + (i == 0 ? 1 : 0));
            boolean now = document.learnt().get(i);
            marked.append(before == now ? "" : before ? "»" : "«").append(text(document.tokens()[i]));
        }
        assertThat(marked).hasToString(text);
        assertThat(document.from()).isEqualTo(document.learnt().nextSetBit(0));
        for (String other : List.of("{'text':'x'}", "{'prompt':'q','completion':'y'}", "{'input_ids':[1,2]}")) {
            Path file = file(line.replace("\"", "\\u0022"), other);
            if (!line.contains("'system':'s','history'") || !other.contains("prompt")) {
                assertThatThrownBy(() -> data(TEMPLATE).answers(file))
                        .isInstanceOf(CalmException.class)
                        .hasMessageStartingWith(file + ":2: is no conversation");
            }
        }
        Path silent = file("{'messages':[{'role':'user','content':'q'}]}");
        assertThatThrownBy(() -> data(TEMPLATE).answers(silent))
                .hasMessageContaining("nothing that the assistant says");
    }

    /** Lines that are read when they are taken, in any order and beside another file, are those of the file read at once. */
    @Test
    void streamedLinesAreTheSame() throws IOException {
        Path turns = Files.writeString(folder.resolve("turns.jsonl"), """
                {"instruction":"i","system":"s","chosen":"y","rejected":"z"}

                {"instruction":"j","input":"k","chosen":"yy","rejected":"zzzz","more":1}
                {"prompt":[{"role":"user","content":"q"}],"chosen":"y","rejected":"z","tools":[{"name":"g"}]}
                """);
        Path plain = Files.writeString(
                folder.resolve("plain.jsonl"), "{\"prompt\":\"q\",\"chosen\":\"y\",\"rejected\":\"z\",\"weight\":2}");
        data(TEMPLATE);
        var template = ChatTemplate.read(folder);
        var truncation = new Truncation(8, Truncation.Mode.KEEP_END, 0, 0);
        var whole = new TrainingData(tokenizer(), template, 300, 200, truncation, said::add);
        List<List<Example.Preference>> expected = List.of(whole.pairs(turns), whole.pairs(plain));
        List<String> saidOnce = List.copyOf(said);
        assertThat(saidOnce).anyMatch(line -> line.contains("cut ")).anyMatch(line -> line.contains("'more'"));
        said.clear();
        TrainingData streaming = whole.streaming();
        List<List<Example.Preference>> streamed = List.of(streaming.pairs(turns), streaming.pairs(plain));
        assertThat(said).isEqualTo(saidOnce);
        assertThat(streaming.cut()).isEqualTo(whole.cut());
        for (int line = 2; line >= 0; line--) {
            assertThat(streamed.get(0).get(line))
                    .usingRecursiveComparison()
                    .isEqualTo(expected.get(0).get(line));
            assertThat(streamed.get(1).getFirst())
                    .usingRecursiveComparison()
                    .isEqualTo(expected.get(1).getFirst());
        }
        assertThat(streamed.get(0)).hasSize(3);
        assertThat(said).isEqualTo(saidOnce);
        assertThat(streaming.cut()).isEqualTo(whole.cut());
        Path list = file("[{'text':'a'}]");
        assertThatThrownBy(() -> streaming.documents(list))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("JSON Lines")
                .hasMessageContaining("streaming");
        Path broken = file("{'text':'a'}", "{'text':7}");
        assertThatThrownBy(() -> streaming.documents(broken)).hasMessageStartingWith(broken + ":2: text");
        List<Example.Document> changing = streaming.documents(file("{'text':'a'}", "{'text':'b'}"));
        changing.get(0);
        file("{'text':'a'}", "{'text':'c'}", "{'text':'b'}");
        assertThatThrownBy(() -> changing.get(1))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("has changed since");
    }
}
