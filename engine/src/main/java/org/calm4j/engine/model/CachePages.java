package org.calm4j.engine.model;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.BitSet;

/**
 * Who has which rows of a {@link KvCache}: a sequence takes pages of rows as it grows, and gives them back when it ends.
 *
 * <p>A sequence that begins is promised as many pages in a row as it may need, if there are that many; a promise is kept as long as pages
 * last. So rows lie together, in one segment of attention, where memory is ample, and in several where it is not.
 */
public final class CachePages {
    /** Rows of a page. */
    public static final int PAGE = 32;

    private final int pages;
    private final BitSet taken = new BitSet();
    private final BitSet promised = new BitSet();

    public CachePages(int pages) {
        this.pages = pages;
    }

    /** Pages that so many rows take. */
    public static int pages(long rows) {
        return Math.toIntExact((rows + PAGE - 1) / PAGE);
    }

    /** Pages that nobody has. */
    public int free() {
        return pages - taken.cardinality();
    }

    /**
     * A sequence without rows yet.
     *
     * @param most rows that it may come to have
     */
    public Rows begin(int most) {
        int count = pages(most);
        BitSet busy = (BitSet) taken.clone();
        busy.or(promised);
        for (int first = busy.nextClearBit(0);
                first + count <= pages;
                first = busy.nextClearBit(busy.nextSetBit(first))) {
            int end = busy.nextSetBit(first);
            if (end < 0 || end - first >= count) {
                promised.set(first, first + count);
                return new Rows(first, first + count);
            }
        }
        return new Rows(0, 0);
    }

    /** The rows of one sequence, in its order. */
    public final class Rows {
        private final int promiseStart;
        private final int promiseEnd;
        /** Of each run of rows that lie together: its first row, and the position in the sequence where it ends. */
        private final IntArrayList starts = new IntArrayList();

        private final IntArrayList ends = new IntArrayList();

        private Rows(int promiseStart, int promiseEnd) {
            this.promiseStart = promiseStart;
            this.promiseEnd = promiseEnd;
        }

        /** Takes pages until there are that many rows; returns false when there is none left, with what it got so far. */
        public boolean grow(int rows) {
            while (size() < rows) {
                int page = next();
                if (page < 0) {
                    return false;
                }
                taken.set(page);
                if (!starts.isEmpty() && page == lastPage() + 1) {
                    ends.set(ends.size() - 1, size() + PAGE);
                } else {
                    ends.add(size() + PAGE);
                    starts.add(page * PAGE);
                }
            }
            return true;
        }

        /** The page behind the last one, unless it is promised to another; then one that nobody was promised; then any. */
        private int next() {
            int behind = starts.isEmpty() ? promiseStart : lastPage() + 1;
            boolean own = behind >= promiseStart && behind < promiseEnd;
            if (behind < pages && !taken.get(behind) && (own || !promised.get(behind))) {
                return behind;
            }
            for (int page = taken.nextClearBit(0); page < pages; page = taken.nextClearBit(page + 1)) {
                if (!promised.get(page)) {
                    return page;
                }
            }
            // The end of the last promise: the longer it takes until its owner comes there, the better.
            return taken.previousClearBit(pages - 1);
        }

        private int lastPage() {
            int run = starts.size() - 1;
            int before = run == 0 ? 0 : ends.getInt(run - 1);
            return (starts.getInt(run) + size() - before) / PAGE - 1;
        }

        /** Rows that it has. */
        public int size() {
            return ends.isEmpty() ? 0 : ends.getInt(ends.size() - 1);
        }

        /** Runs of rows that lie together. */
        public int runs() {
            return starts.size();
        }

        /** The cache's row of a run's first position. */
        public int start(int run) {
            return starts.getInt(run);
        }

        /** The position in the sequence behind a run's last row. */
        public int end(int run) {
            return ends.getInt(run);
        }

        /** The cache's row of a position in the sequence. */
        public int row(int position) {
            int run = starts.size() - 1;
            while (run > 0 && position < ends.getInt(run - 1)) {
                run--;
            }
            return starts.getInt(run) + position - (run == 0 ? 0 : ends.getInt(run - 1));
        }

        /** Gives all rows back. The sequence is to be begun anew. */
        public void free() {
            for (int run = 0; run < starts.size(); run++) {
                int first = starts.getInt(run) / PAGE;
                taken.clear(first, first + (ends.getInt(run) - (run == 0 ? 0 : ends.getInt(run - 1))) / PAGE);
            }
            starts.clear();
            ends.clear();
            promised.clear(promiseStart, promiseEnd);
        }
    }
}
