package org.calm4j.calm.retrieve;

import java.util.List;

/** Texts as vectors of length 1, such as a model's hidden states. */
@FunctionalInterface
public interface TextVectors {
    List<float[]> of(List<String> texts);
}
