package org.calm4j.kernels;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/**
 * A line for each test as it ends, on the terminal and in a file that survives a kill; a later run leaves out the tests that passed according to
 * it. Cases that a factory makes have lines of their own only where they fail, and are left out together. The file has a line a test: {@code ok} or {@code FAILED}, seconds, the test, and what went wrong.
 */
final class TestLog implements TestExecutionListener {
    private final Path file;
    private final PrintStream out;
    private final Set<String> passed = new HashSet<>();
    private final Map<String, Long> started = new HashMap<>();
    /** Of the factory that runs. */
    private int cases;

    private int failedCases;
    private long ended;
    private int failures;

    /** @param file where it is written, and what an earlier run wrote is read */
    TestLog(Path file, PrintStream out) {
        this.file = file;
        this.out = out;
        try {
            for (String line : Files.exists(file) ? Files.readAllLines(file) : List.<String>of()) {
                String[] words = line.split("\\s+", 4);
                if (words.length > 2 && words[0].equals("ok")) {
                    passed.add(words[2]);
                } else if (words.length > 2) {
                    passed.remove(words[2]);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Leaves out what passed before. */
    PostDiscoveryFilter filter() {
        return test -> FilterResult.includedIf(!test.isTest()
                        && !isFactory(test.getUniqueId().toString())
                || !passed.contains(
                        name(test.getSource().orElse(null), test.getUniqueId().toString())));
    }

    int failures() {
        return failures;
    }

    @Override
    public void testPlanExecutionStarted(TestPlan plan) {
        if (!passed.isEmpty()) {
            out.println(passed.size() + " tests passed before, according to " + file);
        }
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        started.put(test.getUniqueId(), System.nanoTime());
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        if (test.isTest()) {
            say("skipped", test, reason);
        }
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        boolean wrong = result.getStatus() == TestExecutionResult.Status.FAILED;
        if (wrong) {
            failures++;
        }
        String problem = result.getThrowable().map(TestLog::told).orElse("");
        String word = wrong ? "FAILED" : result.getStatus() == TestExecutionResult.Status.ABORTED ? "skipped" : "ok";
        if (isFactory(test.getUniqueId())) {
            say(failedCases > 0 ? "FAILED" : word, test, failedCases + " of " + cases + " cases failed " + problem);
            cases = 0;
            failedCases = 0;
        } else if (isCase(test.getUniqueId())) {
            cases += test.isTest() ? 1 : 0;
            failedCases += wrong ? 1 : 0;
            if (wrong) {
                say(word, test, problem);
            }
        } else if (test.isTest() || wrong) {
            say(word, test, problem);
        }
    }

    private static boolean isFactory(String id) {
        return id.substring(id.lastIndexOf('/') + 1).startsWith("[test-factory:");
    }

    private static boolean isCase(String id) {
        return id.contains("[test-factory:") && !isFactory(id);
    }

    private void say(String word, TestIdentifier test, String problem) {
        ended++;
        double seconds = (System.nanoTime() - started.getOrDefault(test.getUniqueId(), System.nanoTime())) * 1e-9;
        String line = String.format(Locale.ROOT, "%-7s %7.1f %s %s", word, seconds, name(test), problem)
                .strip();
        out.println("[" + ended + "] " + line);
        out.flush();
        try {
            Files.writeString(
                    file, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND, StandardOpenOption.SYNC);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Of a case its own name in place of its factory's. */
    private static String name(TestIdentifier test) {
        String name = name(test.getSource().orElse(null), test.getUniqueId());
        return isCase(test.getUniqueId())
                ? name.substring(0, name.indexOf('.') + 1)
                        + test.getDisplayName().replace(' ', '_')
                : name;
    }

    /** Class and method, with the number of a repeated one; without blanks. */
    private static String name(Object source, String id) {
        int number = id.lastIndexOf('#');
        String name = source instanceof MethodSource method
                ? method.getClassName().substring(method.getClassName().lastIndexOf('.') + 1) + "."
                        + method.getMethodName()
                : id;
        // A test that a subclass inherits has the name of the class that declares it as its source; the id tells which
        // class ran.
        int runner = id.indexOf("[class:");
        if (runner >= 0 && source instanceof MethodSource method) {
            String ran = id.substring(runner + "[class:".length(), id.indexOf(']', runner));
            name = ran.substring(ran.lastIndexOf('.') + 1) + "." + method.getMethodName();
        }
        String digits = id.substring(number + 1).replaceAll("\\D.*", "");
        return (number < 0 || digits.isEmpty() ? name : name + "#" + digits).replace(' ', '_');
    }

    private static String told(Throwable problem) {
        String text = String.valueOf(problem).replaceAll("\\s+", " ");
        return text.length() > 400 ? text.substring(0, 400) + "…" : text;
    }
}
