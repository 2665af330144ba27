package org.calm4j.calm.data;

import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;

/** Questions of one or more files, each with its place for messages. */
public final class Questions extends AbstractList<Question> {
    private final List<Question> all;
    private final List<String> places;

    /**
     * The questions of all files, each id at most once in each language.
     *
     * @throws CalmException bad input: a broken question or one that appears twice, with its file and line, or files without questions
     */
    public static Questions read(List<Path> files) {
        List<Question> all = new ArrayList<>();
        List<String> places = new ArrayList<>();
        Set<List<String>> seen = new HashSet<>();
        for (Path file : files) {
            all.addAll(Jsonl.read(file, Question.class, (question, where) -> {
                question.check(where);
                if (!seen.add(List.of(question.id(), question.language()))) {
                    throw CalmException.badInput(
                            where, "a second question with id " + question.id() + " in " + question.language());
                }
                places.add(where);
                return question;
            }));
        }
        if (all.isEmpty()) {
            throw CalmException.badInput(files.getFirst(), "has no questions");
        }
        return new Questions(all, places);
    }

    /** @param places {@code file:line} of each */
    public Questions(List<Question> all, List<String> places) {
        this.all = List.copyOf(all);
        this.places = List.copyOf(places);
    }

    @Override
    public Question get(int index) {
        return all.get(index);
    }

    @Override
    public int size() {
        return all.size();
    }

    /** {@code file:line} of a question. */
    public String where(int index) {
        return places.get(index);
    }
}
