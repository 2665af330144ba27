package org.calm4j.calm.retrieve;

/**
 * A text that may help to answer questions.
 *
 * @param language ISO 639-1
 */
public record Passage(String id, String language, String text) {}
