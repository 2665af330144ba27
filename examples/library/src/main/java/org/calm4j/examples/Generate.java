package org.calm4j.examples;

import java.nio.file.Path;
import java.util.List;
import org.calm4j.engine.generate.Generator;
import org.calm4j.engine.generate.Sampling;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;

/** Continues a text greedily: Generate MODEL TEXT. */
final class Generate {
    public static void main(String[] arguments) {
        try (Backend backend = Backends.open("auto", 0);
                ModelFolder folder = ModelFolder.open(backend, Path.of(arguments[0]), null)) {
            int[] prompt = folder.tokenizer().encode(arguments[1]);
            var completions = new Generator(folder).generate(List.of(prompt), Sampling.greedy(16), done -> {});
            System.out.println(completions.getFirst().getFirst().text());
        }
    }
}
