package org.calm4j.calm.data;

import java.util.AbstractList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.RandomAccess;
import java.util.function.Function;
import org.calm4j.engine.io.LineIndex;
import org.calm4j.engine.train.Example;

/** The lines of a file, each read when it is taken; the last ones are kept. */
final class StreamedLines<R extends Example> extends AbstractList<R> implements RandomAccess {
    private static final int KEPT = 256;

    private final LineIndex index;
    private final int size;
    private final Function<Row, R> make;
    private final Map<Integer, R> kept = new LinkedHashMap<>(KEPT, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, R> eldest) {
            return size() > KEPT;
        }
    };

    /** @param size of the lines, the first ones */
    StreamedLines(LineIndex index, int size, Function<Row, R> make) {
        this.index = index;
        this.size = size;
        this.make = make;
    }

    static Row row(LineIndex index, int line) {
        return new Row(new DataFile.Item(index.json(line), index.where(line)));
    }

    /** @throws org.calm4j.engine.CalmException bad input: the file has changed */
    @Override
    public R get(int line) {
        R known = kept.get(line);
        if (known == null) {
            known = make.apply(row(index, line));
            kept.put(line, known);
        }
        return known;
    }

    @Override
    public int size() {
        return size;
    }
}
