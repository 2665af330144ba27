package org.calm4j.calm.retrieve;

import static org.calm4j.engine.io.JsonProblem.required;

import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.document.StoredField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.SerialMergeScheduler;
import org.apache.lucene.index.Term;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.util.Version;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/**
 * Passages on disk, found by BM25 over the terms of their language and, where vectors were made, by nearest vectors (HNSW). A question finds
 * passages of its own language.
 */
public final class PassageIndex implements AutoCloseable {
    private static final String ABOUT = "index.json";
    private static final String LANGUAGE = "language";
    private static final String VECTOR = "vector";
    private static final String TEXT = "text.";
    /** Of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009). */
    private static final double FUSION = 60;
    /** How many entries of each list are fused. */
    private static final int DEPTH = 50;

    /**
     * What an index was made of.
     *
     * @param passages fingerprint of the passages
     * @param vectors fingerprint of what made the vectors; null without any
     */
    public record About(String passages, String vectors, String lucene, int count) {
        public About {
            required(passages, "passages");
            required(lucene, "lucene");
        }

        private boolean isSame(About other) {
            return passages.equals(other.passages)
                    && String.valueOf(vectors).equals(String.valueOf(other.vectors))
                    && lucene.equals(other.lucene);
        }
    }

    // Lucene logs its choice of vector code to stderr; the reference keeps the logger and its level alive.
    private static final Logger LUCENE = Logger.getLogger("org.apache.lucene");

    static {
        LUCENE.setLevel(Level.WARNING);
    }

    private final DirectoryReader reader;
    private final IndexSearcher searcher;
    private final TextVectors vectors;
    private final Map<String, Analyzer> analyzers = new HashMap<>();

    private PassageIndex(Path folder, TextVectors vectors) throws IOException {
        reader = DirectoryReader.open(FSDirectory.open(folder));
        searcher = new IndexSearcher(reader);
        this.vectors = vectors;
    }

    /**
     * Opens an index; builds it first where it is missing or was made of something else.
     *
     * @param passages JSON Lines with id, language and text
     * @param about what the index should be made of
     * @param vectors null for BM25 alone
     * @throws CalmException bad input: broken passages, or a folder that is not our index
     */
    public static PassageIndex open(Path passages, Path folder, About about, TextVectors vectors) {
        try {
            if (!isCurrent(folder, about)) {
                List<Passage> all = read(passages);
                AtomicFile.folder(folder, place -> build(place, all, about, vectors));
            }
            return new PassageIndex(folder, vectors);
        } catch (IOException e) {
            throw CalmException.badInput(
                    folder, "cannot be read as an index (" + e.getMessage() + "); remove it, and it is built again", e);
        }
    }

    /** @param passages fingerprint of the passages */
    public static About about(String passages, String vectors) {
        return new About(passages, vectors, Version.LATEST.toString(), 0);
    }

    private static boolean isCurrent(Path folder, About about) {
        if (!Files.exists(folder)) {
            return false;
        }
        if (!Files.exists(folder.resolve(ABOUT))) {
            throw CalmException.badInput(folder, "exists and is not an index; choose another place for the index");
        }
        return Json.read(folder.resolve(ABOUT), About.class).isSame(about);
    }

    private static List<Passage> read(Path file) {
        Set<String> ids = new LinkedHashSet<>();
        List<Passage> passages = Jsonl.read(file, Passage.class, (passage, where) -> {
            if (passage.id() == null
                    || passage.language() == null
                    || passage.text() == null
                    || passage.text().isBlank()) {
                throw CalmException.badInput(where, "a passage needs id, language and text");
            }
            if (!ids.add(passage.language() + " " + passage.id())) {
                throw CalmException.badInput(
                        where, "a second passage with id " + passage.id() + " in " + passage.language());
            }
            return passage;
        });
        if (passages.isEmpty()) {
            throw CalmException.badInput(file, "has no passages");
        }
        return passages;
    }

    private static void build(Path folder, List<Passage> passages, About about, TextVectors vectors) {
        List<float[]> all = vectors == null
                ? List.of()
                : vectors.of(passages.stream().map(Passage::text).toList());
        Map<String, Analyzer> analyzers = new HashMap<>();
        // One thread and one segment: the same passages give the same index.
        IndexWriterConfig config = new IndexWriterConfig().setMergeScheduler(new SerialMergeScheduler());
        try (FSDirectory directory = FSDirectory.open(folder);
                IndexWriter writer = new IndexWriter(directory, config)) {
            for (int i = 0; i < passages.size(); i++) {
                Passage passage = passages.get(i);
                Document document = new Document();
                document.add(new StoredField("id", passage.id()));
                document.add(new StringField(LANGUAGE, passage.language(), Field.Store.YES));
                document.add(new StoredField("text", passage.text()));
                Analyzer analyzer = analyzers.computeIfAbsent(passage.language(), Analyzers::of);
                document.add(new TextField(
                        TEXT + passage.language(), analyzer.tokenStream(TEXT + passage.language(), passage.text())));
                if (vectors != null) {
                    document.add(new KnnFloatVectorField(VECTOR, all.get(i), VectorSimilarityFunction.DOT_PRODUCT));
                }
                writer.addDocument(document);
            }
            writer.forceMerge(1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Json.write(
                folder.resolve(ABOUT), new About(about.passages(), about.vectors(), about.lucene(), passages.size()));
    }

    /** How many passages there are. */
    public int size() {
        return reader.numDocs();
    }

    /** The best passages for a question in its language, best first; fewer than {@code most} where no other shares a term. */
    public List<Passage> search(String language, String question, int most) {
        try {
            List<Integer> lexical =
                    documents(searcher.search(terms(language, question), vectors == null ? most : DEPTH).scoreDocs);
            if (vectors == null) {
                return passages(lexical);
            }
            Query own = new TermQuery(new Term(LANGUAGE, language));
            float[] vector = vectors.of(List.of(question)).getFirst();
            List<Integer> dense =
                    documents(searcher.search(new KnnFloatVectorQuery(VECTOR, vector, DEPTH, own), DEPTH).scoreDocs);
            return passages(fused(List.of(lexical, dense), most));
        } catch (IOException e) {
            throw CalmException.failed("the index of passages cannot be read: " + e.getMessage(), e);
        }
    }

    private Query terms(String language, String question) throws IOException {
        String field = TEXT + language;
        Set<String> terms = new LinkedHashSet<>();
        try (TokenStream tokens =
                analyzers.computeIfAbsent(language, Analyzers::of).tokenStream(field, new StringReader(question))) {
            CharTermAttribute term = tokens.addAttribute(CharTermAttribute.class);
            tokens.reset();
            while (tokens.incrementToken()) {
                terms.add(term.toString());
            }
            tokens.end();
        }
        BooleanQuery.Builder query = new BooleanQuery.Builder();
        // Lucene limits the clauses of a query; the first terms of a long question are enough.
        terms.stream()
                .limit(IndexSearcher.getMaxClauseCount())
                .forEach(term -> query.add(new TermQuery(new Term(field, term)), BooleanClause.Occur.SHOULD));
        return query.build();
    }

    private static List<Integer> documents(ScoreDoc[] found) {
        List<Integer> documents = new ArrayList<>();
        for (ScoreDoc each : found) {
            documents.add(each.doc);
        }
        return documents;
    }

    /** Reciprocal rank fusion; the order of the passages between equal ones. */
    private static List<Integer> fused(List<List<Integer>> lists, int most) {
        Map<Integer, Double> scores = new LinkedHashMap<>();
        for (List<Integer> list : lists) {
            for (int rank = 0; rank < list.size(); rank++) {
                scores.merge(list.get(rank), 1 / (FUSION + rank + 1), Double::sum);
            }
        }
        return scores.entrySet().stream()
                .sorted(Comparator.comparingDouble((Map.Entry<Integer, Double> each) -> -each.getValue())
                        .thenComparing(Map.Entry::getKey))
                .limit(most)
                .map(Map.Entry::getKey)
                .toList();
    }

    private List<Passage> passages(List<Integer> documents) throws IOException {
        List<Passage> passages = new ArrayList<>();
        for (int document : documents) {
            Document stored = searcher.storedFields().document(document);
            passages.add(new Passage(stored.get("id"), stored.get(LANGUAGE), stored.get("text")));
        }
        return passages;
    }

    @Override
    public void close() {
        try {
            reader.close();
        } catch (IOException e) {
            throw CalmException.failed("the index of passages cannot be closed: " + e.getMessage(), e);
        }
    }
}
