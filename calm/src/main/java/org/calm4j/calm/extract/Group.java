package org.calm4j.calm.extract;

import java.util.Set;

/**
 * Options that a text names side by side: "A", "B (a town) or C", "A–E".
 *
 * @param choices in the order of the text
 * @param end end of the last of them, with its text and brackets
 */
record Group(Set<Integer> choices, int end) {}
