package org.calm4j.calm;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The documents beside the code: links lead somewhere, what they name is declared there, and quoted code is the code. */
final class DocumentsTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern LINK = Pattern.compile("\\[([^\\[\\]]+)]\\(([^()\\s]+)\\)");
    private static final Pattern FENCE = Pattern.compile("(?ms)^ *```(\\w*)\\R(.*?)^ *```$");
    /** The last link of the line before a quotation says where the code is from; a quotation that follows another has the same source. */
    private static final Pattern SOURCE = Pattern.compile("\\]\\(([^()\\s]+\\.(?:java|cu|cuh))\\)[^()]*$");

    private static List<Path> documents() throws IOException {
        List<Path> documents = new ArrayList<>();
        for (String folder : List.of("", ".github", "benchmarks", "docs", "examples", "native")) {
            Path start = ROOT.resolve(folder);
            if (Files.isDirectory(start)) {
                try (Stream<Path> files = Files.walk(start, folder.equals("docs") ? 3 : 1)) {
                    files.filter(file -> file.toString().endsWith(".md")).forEach(documents::add);
                }
            }
        }
        return documents;
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new AssertionError(file + " cannot be read", e);
        }
    }

    private static Stream<MatchResult> links(Path document) {
        String prose = FENCE.matcher(text(document)).replaceAll("");
        return LINK.matcher(prose).results().filter(link -> !link.group(2).matches("[a-z]+:.*"));
    }

    /** What is wrong with one link; null if nothing is. */
    private static String problem(Path document, String text, String target) {
        String[] parts = target.split("#", 2);
        Path file = parts[0].isEmpty()
                ? document
                : document.getParent().resolve(parts[0]).normalize();
        String where = ROOT.relativize(document) + ": [" + text + "](" + target + ")";
        if (!Files.exists(file)) {
            return where + " leads nowhere";
        }
        if (parts.length > 1 && !anchors(file).contains(parts[1])) {
            return where + ": there is no heading #" + parts[1];
        }
        boolean names = text.matches("`[\\w/]+(\\.\\w+)*`") && file.toString().matches(".*\\.(java|cuh?)");
        return !names || declares(file, text.replace("`", "")) ? null : where + ": it is not declared there";
    }

    private static Set<String> anchors(Path file) {
        Set<String> anchors = new TreeSet<>();
        for (String line :
                text(file).lines().filter(each -> each.startsWith("#")).toList()) {
            anchors.add(line.replaceAll("^#+ *", "")
                    .toLowerCase(Locale.ROOT)
                    .replaceAll("[^\\p{L}\\p{N} -]", "")
                    .replace(' ', '-'));
        }
        return anchors;
    }

    /** Whether a file declares all parts of a name such as {@code scalar/RmsNorm.backward}; a kernel's name may be the start of several. */
    static boolean declares(Path file, String name) {
        String source = text(file);
        String own = name.substring(name.lastIndexOf('/') + 1);
        if (file.getFileName().toString().equals(own)) {
            return true;
        }
        List<String> parts = Arrays.asList(own.split("\\."));
        String last = parts.getLast();
        if (!file.toString().endsWith(".java")) {
            String shaped = source.replace("__launch_bounds__", "");
            return Pattern.compile(
                            "(?:void|float|long)[^;()]*(?:\\([^()]*\\)[\\s\\\\]*)?\\b" + last + "(?:_##\\w+)?\\(")
                    .matcher(shaped)
                    .find();
        }
        boolean types = parts.subList(0, parts.size() - 1).stream().allMatch(type -> declaresType(source, type));
        return types && (declaresType(source, last) || declaresMember(source, last));
    }

    private static boolean declaresType(String source, String type) {
        return Pattern.compile("\\b(?:class|record|interface|enum) " + type + "\\b")
                .matcher(source)
                .find();
    }

    private static boolean declaresMember(String source, String member) {
        Matcher declared = Pattern.compile(
                        "(?m)^ +(?:\\w+ )*?([\\w.]+(?:<[^=;()]*>)?(?:\\[])*) " + member + "(?:\\(| =|;)")
                .matcher(source);
        return declared.results().anyMatch(each -> !Set.of("return", "new", "throw", "else", "case", "yield")
                .contains(each.group(1)));
    }

    @Test
    void linksLeadToWhatTheyName() throws IOException {
        List<String> problems = new ArrayList<>();
        for (Path document : documents()) {
            links(document)
                    .map(link -> problem(document, link.group(1), link.group(2)))
                    .forEach(problems::add);
        }
        assertThat(problems).hasSizeGreaterThan(200);
        assertThat(problems.stream().filter(Objects::nonNull)).isEmpty();
    }

    @Test
    void everyEquationHasAMethod() {
        Path document = ROOT.resolve("docs/equations.md");
        List<String> rows = text(document)
                .lines()
                .filter(line -> line.matches("\\|.*\\|") && !line.startsWith("|---") && !line.startsWith("| what"))
                .toList();
        assertThat(rows).hasSizeGreaterThanOrEqualTo(40);
        assertThat(rows).allMatch(row -> row.matches(".*\\[`[\\w/]+(\\.\\w+)*`]\\([^()]+\\.(java|cuh?)\\).*"));
    }

    /** Names that are not there are found, so that the tests above can fail. */
    @Test
    void aMissingMethodIsFound() {
        Path java = ROOT.resolve("calm/src/test/java/org/calm4j/calm/DocumentsTest.java");
        assertThat(declares(java, "DocumentsTest.declares")).isTrue();
        assertThat(declares(java, "DocumentsTest.ROOT")).isTrue();
        assertThat(declares(java, "DocumentsTest.readString")).isFalse();
        assertThat(declares(java, "DocumentTest.declares")).isFalse();
        Path document = ROOT.resolve("docs/equations.md");
        assertThat(problem(document, "`X.y`", "../no/X.java")).contains("nowhere");
        assertThat(problem(document, "x", "equations.md#nothing")).contains("no heading");
        Path kernel = ROOT.resolve("native/src/main/cuda/attention.cu");
        assertThat(declares(kernel, "attention_forward")).isTrue();
        assertThat(declares(kernel, "attention_sideways")).isFalse();
        assertThat(declares(kernel, "load4")).isFalse();
    }

    /** @param only the source of all quotations; null where links say it */
    @ParameterizedTest
    @CsvSource({
        "docs/tutorial/rmsnorm.md,",
        "docs/inside-java.md, ../engine/src/test/java/org/calm4j/engine/inspect/InspectorExamplesTest.java"
    })
    void quotedCodeIsTheCode(String name, String only) {
        Path document = ROOT.resolve(name);
        String text = text(document);
        String source = null;
        int from = 0;
        int quotations = 0;
        for (Matcher fence = FENCE.matcher(text); fence.find(); from = fence.end()) {
            Matcher link = SOURCE.matcher(text.substring(from, fence.start()).strip());
            source = only != null ? only : link.find() ? link.group(1) : source;
            if (Set.of("java", "cuda").contains(fence.group(1))) {
                assertThat(source).as("source of %s", fence.group(2)).isNotNull();
                assertThat(words(text(document.getParent().resolve(source).normalize())))
                        .as(source)
                        .contains(words(fence.group(2)));
                quotations++;
            }
        }
        assertThat(quotations).isGreaterThan(5);
    }

    /** Without what a formatter decides: line breaks, indentation, blanks. */
    private static String words(String code) {
        return code.replaceAll("\\s+", "");
    }

    @Test
    void theArchitectureIsOneScreenAndNamesEveryRoom() throws IOException {
        String text = text(ROOT.resolve("ARCHITECTURE.md"));
        assertThat(text.lines().count()).isLessThanOrEqualTo(60);
        Set<String> named = new TreeSet<>();
        for (String row : text.lines().filter(line -> line.startsWith("| `")).toList()) {
            String module = null;
            for (MatchResult name : Pattern.compile("`([\\w/]+)`")
                    .matcher(row.split("\\|")[1])
                    .results()
                    .toList()) {
                String[] path = name.group(1).split("/");
                if (path.length == 1 && Files.exists(ROOT.resolve(path[0]).resolve("pom.xml"))) {
                    module = null;
                    named.add(path[0]);
                } else {
                    module = path.length > 1 ? path[0] : module;
                    named.add(module + "/" + path[path.length - 1]);
                }
            }
        }
        Set<String> rooms = new TreeSet<>(Set.of("kernels", "native"));
        for (Path folder : packages()) {
            String room = ROOT.relativize(folder).toString().replaceAll("^\\w+/src/main/java/org/calm4j/", "");
            if (room.matches("(engine|calm)/\\w+")) {
                rooms.add(room);
            }
        }
        assertThat(named).isEqualTo(rooms);
    }

    @Test
    void everyPackageSaysWhatItIsFor() throws IOException {
        assertThat(packages()).hasSizeGreaterThan(30).allSatisfy(folder -> {
            Path file = folder.resolve("package-info.java");
            assertThat(file).exists();
            String name = ROOT.relativize(folder)
                    .toString()
                    .replaceAll("^\\w+/src/main/java/", "")
                    .replace('/', '.');
            assertThat(text(file)).startsWith("/**").contains("package " + name + ";");
        });
    }

    private static List<Path> packages() throws IOException {
        List<Path> folders = new ArrayList<>();
        for (String module : List.of("engine", "kernels", "calm", "benchmarks")) {
            try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src/main/java"))) {
                files.filter(file -> file.toString().endsWith(".java") && !file.endsWith("package-info.java"))
                        .map(Path::getParent)
                        .distinct()
                        .forEach(folders::add);
            }
        }
        return folders;
    }
}
